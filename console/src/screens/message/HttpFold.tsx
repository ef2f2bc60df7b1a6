import { CodeBlock } from "~/kit/Copy";
import { Facts } from "~/kit/Page";
import styles from "./message.module.css";
import type { Step } from "./queries";

/** A call over HTTP and its answer, folded. */
export function HttpFold({ http }: { http: NonNullable<Step["http"]> }) {
  const answered = http.status === null ? "no answer" : `status ${http.status}`;
  return (
    <details className={styles.fold}>
      <summary>The call and its answer: {answered}</summary>
      <Facts
        facts={[
          ["URL", <code key="url">{http.url}</code>],
          ["Answer", answered],
        ]}
      />
      {http.headers.length > 0 ? <Headers headers={http.headers} /> : null}
      {http.body ? (
        <>
          <CodeBlock text={http.body} what="the answer" />
          {http.is_cut ? <p className={styles.soft}>Only its beginning is kept.</p> : null}
        </>
      ) : null}
    </details>
  );
}

/** Headers as a list of names and values. */
export function Headers({ headers }: { headers: readonly { name: string; value: string }[] }) {
  return (
    <dl className={styles.headers}>
      {headers.map(({ name, value }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a header may stand there twice, and the list does not change
        <div key={index}>
          <dt>{name}</dt>
          <dd>
            <bdi>{value}</bdi>
          </dd>
        </div>
      ))}
    </dl>
  );
}
