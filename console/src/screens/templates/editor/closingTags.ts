import { Prec } from "@codemirror/state";
import { EditorView } from "@codemirror/view";

/**
 * Takes a closing tag that somebody types for the one that the editor has written already, so that it is not there
 * twice. The editor writes it when an opening tag is complete; a "/" completes nothing.
 */
export const typedClosingTags = Prec.high(
  EditorView.inputHandler.of((view, from, to, text, insert) => {
    if (view.composing || view.state.readOnly || from !== to) {
      return false;
    }
    const { doc } = view.state;
    if (text === "/" && doc.sliceString(from - 1, from) === "<") {
      view.dispatch(insert());
      return true;
    }
    const typed =
      text === ">"
        ? /<\/([\w:-]+)$/.exec(doc.lineAt(from).text.slice(0, from - doc.lineAt(from).from))
        : null;
    const name = typed?.[1];
    const tag = `</${name}>`;
    if (
      name === undefined ||
      doc.sliceString(from, from + tag.length) !== tag ||
      !isOver(doc.toString(), name)
    ) {
      return false;
    }
    view.dispatch({
      changes: { from, to: from + tag.length, insert: text },
      selection: { anchor: from + text.length },
      userEvent: "input.type",
    });
    return true;
  }),
);

/** Whether with one more closing tag of this name there are more of them than opening ones. */
function isOver(text: string, name: string): boolean {
  const opened = text.match(new RegExp(`<${name}(?![\\w:-])[^>]*>`, "g")) ?? [];
  const closed = text.split(`</${name}>`).length - 1;
  return closed + 1 > opened.filter((tag) => !tag.endsWith("/>")).length;
}
