import { Problem } from "~/api/problem";
import { Button } from "./Button";
import styles from "./ErrorNote.module.css";

/** Say what went wrong and what to do. Fields of a form show their own errors beside themselves, too. */
export function ErrorNote({ error, onRetry }: { error: Error; onRetry?: () => void }) {
  const fields = error instanceof Problem ? [...error.fields] : [];
  const traceId = error instanceof Problem && error.status >= 500 ? error.traceId : "";
  return (
    <div className={styles.note} role="alert">
      <div className={styles.text}>
        <p>{messageOf(error)}</p>
        {fields.length > 0 ? (
          <ul>
            {fields.map(([field, detail]) => (
              <li key={field}>
                <code>{field}</code>: {detail}
              </li>
            ))}
          </ul>
        ) : null}
        {traceId ? (
          <p className={styles.trace}>
            Trace id <code>{traceId}</code>
          </p>
        ) : null}
      </div>
      {onRetry ? (
        <Button size="small" onClick={onRetry}>
          Try again
        </Button>
      ) : null}
    </div>
  );
}

/** Return an error in one sentence for a person. */
export function messageOf(error: Error): string {
  if (error instanceof Problem) {
    return error.message;
  }
  if (error.name === "TimeoutError") {
    return "The server did not answer in time. Try again.";
  }
  if (error instanceof TypeError && /fetch|network/i.test(error.message)) {
    return "The server cannot be reached. Check the connection and try again.";
  }
  return error.message;
}
