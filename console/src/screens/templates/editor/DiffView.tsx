import { MergeView } from "@codemirror/merge";
import { EditorState } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { useEffect, useRef } from "react";
import { nonce } from "~/kit/nonce";
import styles from "./DiffView.module.css";

interface DiffViewProps {
  before: { label: string; text: string };
  after: { label: string; text: string };
}

// Comparing two large texts letter by letter takes long.
const MOST_CHANGES = 500;

/** Two texts side by side, with what differs marked. Unchanged lines are folded. */
export function DiffView({ before, after }: DiffViewProps) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (place.current === null) {
      return;
    }
    const side = ({ label, text }: { label: string; text: string }) => ({
      doc: text,
      extensions: [
        EditorView.cspNonce.of(nonce),
        EditorState.readOnly.of(true),
        EditorView.editable.of(true),
        EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
        EditorView.lineWrapping,
        lineNumbers(),
        LOOK,
      ],
    });
    const view = new MergeView({
      a: side(before),
      b: side(after),
      parent: place.current,
      collapseUnchanged: { margin: 3, minSize: 6 },
      diffConfig: { scanLimit: MOST_CHANGES },
    });
    return () => view.destroy();
  }, [before, after]);
  return (
    <div className={styles.diff}>
      <div className={styles.heads} aria-hidden>
        <span>{before.label}</span>
        <span>{after.label}</span>
      </div>
      <div ref={place} className={styles.texts} />
    </div>
  );
}

const LOOK = EditorView.theme({
  "&": { backgroundColor: "var(--card)", color: "var(--ink)", fontSize: "var(--text-small)" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-gutters": { backgroundColor: "var(--card)", color: "var(--ink-soft)", border: "0" },
  "&.cm-merge-a .cm-changedLine": { backgroundColor: "var(--bad-ground)" },
  "&.cm-merge-b .cm-changedLine": { backgroundColor: "var(--good-ground)" },
  "&.cm-merge-a .cm-changedText": { background: "color-mix(in oklab, var(--bad) 30%, transparent)" },
  "&.cm-merge-b .cm-changedText": { background: "color-mix(in oklab, var(--good) 30%, transparent)" },
  ".cm-collapsedLines": {
    background: "var(--hover)",
    color: "var(--ink-soft)",
    padding: "0.2rem 0.6rem",
  },
});
