import { Annotation, Compartment, EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { useEffect, useRef } from "react";
import styles from "./CodeEditor.module.css";
import { baseExtensions, languageExtensions, type Mode } from "./codemirror";
import { type CompletionData, completions } from "./completion";
import { type Fault, showFaults } from "./faults";

interface CodeEditorProps {
  /** Names the editor for screen readers. */
  label: string;
  value: string;
  onChange: (value: string) => void;
  mode: Mode;
  /** What can be completed. It may change while somebody types. */
  completion?: CompletionData;
  faults?: readonly Fault[];
  isReadOnly?: boolean;
  /** Ctrl-S or Cmd-S. */
  onSave?: () => void;
  /** The id of a text that explains the keys. */
  describedBy?: string;
}

// Marks a change that the page made, and nobody who types.
const fromElsewhere = Annotation.define<boolean>();
// Changes that nobody has answered yet.
const MOST_TOLD = 100;
const NO_FAULTS: readonly Fault[] = [];

/** A code editor. Tab indents; Escape and then Tab leaves it. */
export function CodeEditor(props: CodeEditorProps) {
  const { label, value, mode, faults = NO_FAULTS, isReadOnly = false, describedBy } = props;
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  // What the editor calls is always of the latest rendering, and making the editor again would lose the cursor.
  const latest = useRef(props);
  latest.current = props;
  const language = useRef(new Compartment());
  const first = useRef({ value, mode });
  const told = useRef<readonly string[]>([]);

  useEffect(() => {
    if (place.current === null) {
      return;
    }
    const made = new EditorView({
      parent: place.current,
      state: EditorState.create({
        doc: first.current.value,
        extensions: [
          baseExtensions(first.current.mode, {
            label,
            isReadOnly,
            ...(describedBy && { describedBy }),
            onSave: () => latest.current.onSave?.(),
          }),
          completions(() => latest.current.completion, first.current.mode),
          language.current.of(
            languageExtensions(first.current.mode, latest.current.completion?.vocabulary?.elements),
          ),
          EditorView.updateListener.of((update) => {
            const isOurs = update.transactions.some((one) => one.annotation(fromElsewhere));
            if (update.docChanged && !isOurs) {
              const text = update.state.doc.toString();
              told.current = [...told.current.slice(-MOST_TOLD), text];
              latest.current.onChange(text);
            }
          }),
        ],
      }),
    });
    view.current = made;
    return () => {
      made.destroy();
      view.current = null;
    };
  }, [label, isReadOnly, describedBy]);

  // A text from elsewhere (a restored draft, another version) replaces what is there. One that the editor told itself
  // may be older than what somebody has typed meanwhile.
  useEffect(() => {
    const current = view.current;
    const known = told.current.indexOf(value);
    if (known >= 0) {
      told.current = told.current.slice(known + 1);
      return;
    }
    if (current !== null && current.state.doc.toString() !== value) {
      current.dispatch({
        changes: { from: 0, to: current.state.doc.length, insert: value },
        annotations: fromElsewhere.of(true),
      });
    }
  }, [value]);

  // Its elements come from the server, after the editor is there.
  const elements = props.completion?.vocabulary?.elements;
  useEffect(() => {
    view.current?.dispatch({ effects: language.current.reconfigure(languageExtensions(mode, elements)) });
  }, [mode, elements]);

  useEffect(() => {
    if (view.current !== null) {
      showFaults(view.current, faults);
    }
  }, [faults]);

  return <div ref={place} className={mode === "line" ? styles.line : styles.editor} />;
}

/** Move the cursor of the editor with this label to a line, and the focus into it. */
export function goToLine(label: string, line: number): void {
  const content = document.querySelector<HTMLElement>(`.cm-content[aria-label="${CSS.escape(label)}"]`);
  const view = content ? EditorView.findFromDOM(content) : null;
  if (view === null) {
    return;
  }
  const at = view.state.doc.line(Math.min(Math.max(line, 1), view.state.doc.lines)).from;
  view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
  view.focus();
}
