import { CodeBlock } from "~/kit/Copy";
import { Tabs } from "~/kit/Tabs";
import styles from "./Endpoints.module.css";
import type { Endpoint } from "./queries";
import go from "./samples/go.txt?raw";
import node from "./samples/node.js.txt?raw";
import standardwebhooks from "./samples/standardwebhooks.py.txt?raw";
import svix from "./samples/svix.py.txt?raw";

const SAMPLES = [
  { value: "python", label: "Python", text: standardwebhooks, about: "With the package standardwebhooks." },
  { value: "node", label: "Node", text: node, about: "Without a package." },
  { value: "go", label: "Go", text: go, about: "Without a package." },
  { value: "svix", label: "Python (svix)", text: svix, about: "With the package svix." },
] as const;

/** What the receiver has to do: verify messages, or read them. */
export function Receiver({ endpoint }: { endpoint: Endpoint }) {
  if (endpoint.kind === "slack") {
    return <p>Slack receives the messages. They are not signed, and there is nothing to verify.</p>;
  }
  return (
    <div className={styles.stack}>
      {endpoint.mode === "polled" ? <Polling endpoint={endpoint} /> : null}
      <p>
        Each message has the headers <code>webhook-id</code> (the same for every attempt: remember it, and
        handle each message once), <code>webhook-timestamp</code> and <code>webhook-signature</code>. Each of
        these programs answers 204 to a message that is signed with <code>WEBHOOK_SECRET</code>, and 400 to
        any other.
      </p>
      <p>
        The body is the event's data alone: neither the body nor a header names the event type. A receiver
        that has to tell types apart gets an endpoint for each of them, with a URL of its own such as{" "}
        <code>…/webhooks?type=order.shipped</code>; or your program sends a field that says it among the data.
      </p>
      <Tabs
        label="Languages"
        tabs={SAMPLES.map((one) => ({
          value: one.value,
          label: one.label,
          content: (
            <div className={styles.stack}>
              <p className={styles.soft}>{one.about}</p>
              <CodeBlock text={one.text} what={`the program in ${one.label}`} />
            </div>
          ),
        }))}
      />
    </div>
  );
}

function Polling({ endpoint }: { endpoint: Endpoint }) {
  const call = `curl -sS "${window.location.origin}/api/v1/poll/${endpoint.id}?limit=50" \\\n  -H "Authorization: Bearer $POLL_KEY"`;
  return (
    <>
      <p>
        The receiver reads its messages with a key of the kind <code>poll</code> that may read this endpoint.
        Create the key among the tenant's API keys.
      </p>
      <CodeBlock text={call} what="the call" />
      <ol className={styles.stack}>
        <li>1. Handle the events in “data”, and store “cursor”.</li>
        <li>
          2. Send it with the next call as <code>?cursor=</code>: what is before it counts as received.
          Without a cursor, or with the same one, the same events are answered again, so that none is lost.
        </li>
        <li>3. “done: true” says that nothing more waits: ask again after a while.</li>
      </ol>
    </>
  );
}
