import { Check, Copy as CopyIcon } from "lucide-react";
import { useEffect, useState } from "react";
import { IconButton } from "./Button";
import styles from "./Copy.module.css";

const DONE_MS = 2000;

/** A button that copies a text, and says so. `what`: its name, as in "Copy event id". */
export function CopyButton({ text, what }: { text: string; what: string }) {
  const [state, setState] = useState<"ready" | "copied" | "failed">("ready");
  useEffect(() => {
    if (state === "ready") {
      return;
    }
    const timer = setTimeout(() => setState("ready"), DONE_MS);
    return () => clearTimeout(timer);
  }, [state]);
  const copy = () => {
    navigator.clipboard.writeText(text).then(
      () => setState("copied"),
      () => setState("failed"),
    );
  };
  const label = { ready: `Copy ${what}`, copied: "Copied", failed: "Could not be copied: select the text" }[
    state
  ];
  return (
    <IconButton label={label} size="small" onClick={copy}>
      {state === "copied" ? <Check aria-hidden /> : <CopyIcon aria-hidden />}
      <span className="unseen" aria-live="polite">
        {state === "ready" ? "" : label}
      </span>
    </IconButton>
  );
}

/** An id or another short text in full, with a button to copy it. */
export function Copyable({ text, what }: { text: string; what: string }) {
  return (
    <span className={styles.copy}>
      <code>{text}</code>
      <CopyButton text={text} what={what} />
    </span>
  );
}

/** Several lines of code or data, with a button to copy them. The text is shown as it is. */
export function CodeBlock({ text, what }: { text: string; what: string }) {
  return (
    <div className={styles.block}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, so the keyboard must reach it */}
      <pre tabIndex={0}>{text}</pre>
      <div className={styles.corner}>
        <CopyButton text={text} what={what} />
      </div>
    </div>
  );
}
