import { CodeBlock } from "~/kit/Copy";
import { Facts } from "~/kit/Page";
import { Time } from "~/kit/Time";
import { Headers } from "./HttpFold";
import styles from "./message.module.css";
import type { Content } from "./queries";

/** A text message as a phone shows it. */
export function Sms({ content }: { content: Content }) {
  return (
    <div className={styles.stack}>
      <Facts
        facts={[
          ["From", content.from ?? "the provider’s own number"],
          ["To", <bdi key="to">{content.to}</bdi>],
          ["Billed as", content.sms ? `${content.sms.segments} × SMS, ${content.sms.encoding}` : null],
        ]}
      />
      <div className={styles.phone}>
        <div className={styles.bubble} dir="auto">
          {content.text}
        </div>
      </div>
      {content.request ? (
        <details className={styles.fold}>
          <summary>The request to the provider</summary>
          <RequestText request={content.request} />
        </details>
      ) : null}
    </div>
  );
}

/** A notification as its recipient's inbox shows it. */
export function Push({ push }: { push: NonNullable<Content["push"]> }) {
  return (
    <div className={styles.stack}>
      <div className={styles.phone}>
        <div className={styles.notice} dir="auto">
          <strong>{push.title}</strong>
          <span>{push.body}</span>
        </div>
      </div>
      <Facts
        facts={[
          ["In the inbox", <Time key="created" at={push.created_at} />],
          ["Read", push.read_at ? <Time key="read" at={push.read_at} /> : "not yet"],
        ]}
      />
      <details className={styles.fold}>
        <summary>The data that open pages received</summary>
        <CodeBlock text={JSON.stringify(push.data, null, 2)} what="the data" />
      </details>
    </div>
  );
}

/** A call of an endpoint. */
export function Webhook({ webhook }: { webhook: NonNullable<Content["webhook"]> }) {
  return (
    <div className={styles.stack}>
      <Facts facts={[["POST", <code key="url">{webhook.url}</code>]]} />
      <Headers headers={webhook.headers} />
      {webhook.body === null ? (
        <p className={styles.soft}>The body was the event’s payload, which was deleted.</p>
      ) : (
        <CodeBlock text={indented(webhook.body)} what="the body" />
      )}
      <p className={styles.soft}>
        The body is shown with line breaks. It was sent, and signed, without them, just as the event has it.
      </p>
    </div>
  );
}

/** A request to a provider's API. */
export function RequestText({ request }: { request: NonNullable<Content["request"]> }) {
  return (
    <div className={styles.stack}>
      <Facts facts={[["POST", <code key="url">{request.url}</code>]]} />
      <Headers headers={request.headers} />
      <CodeBlock text={indented(request.body)} what="the request" />
    </div>
  );
}

/** Return JSON with line breaks, as far as that changes no number; any other text as it is. */
export function indented(text: string): string {
  try {
    const read: unknown = JSON.parse(text);
    return JSON.stringify(read) === text.replace(/\s+(?=(?:[^"]*"[^"]*")*[^"]*$)/g, "")
      ? JSON.stringify(read, null, 2)
      : text;
  } catch {
    return text;
  }
}
