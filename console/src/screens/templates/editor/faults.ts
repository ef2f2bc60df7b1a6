import { type Diagnostic, setDiagnostics } from "@codemirror/lint";
import type { EditorView } from "@codemirror/view";
import type { Problem } from "~/api/problem";

/** An error in a template. field: "subject", "preheader", "body", "layout" or "partials.<name>"; or of the form. */
export interface Fault {
  field: string;
  line: number | null;
  column: number | null;
  detail: string;
}

/** Return the faults that a refused call names. */
export function faultsOf(problem: Problem): Fault[] {
  return [...problem.fields].map(([field, text]) => {
    const found = /^Line (\d+)(?:, column (\d+))?: ([\s\S]*)$/.exec(text);
    if (found === null) {
      return { field, line: null, column: null, detail: text };
    }
    return {
      field,
      line: Number(found[1]),
      column: found[2] === undefined ? null : Number(found[2]),
      detail: found[3] ?? text,
    };
  });
}

/** Mark faults at their lines. A fault without a line stands at the first one. */
export function showFaults(view: EditorView, faults: readonly Fault[]): void {
  const document = view.state.doc;
  const marks = faults.map((fault): Diagnostic => {
    const line = document.line(Math.min(Math.max(fault.line ?? 1, 1), document.lines));
    const from = Math.min(line.from + Math.max((fault.column ?? 1) - 1, 0), line.to);
    const to = Math.max(from, line.to);
    return { from: from === to ? line.from : from, to, severity: "error", message: fault.detail };
  });
  view.dispatch(
    setDiagnostics(
      view.state,
      marks.sort((one, other) => one.from - other.from),
    ),
  );
}
