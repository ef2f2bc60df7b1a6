import { type Extension, MapMode, Prec, StateField, type Transaction } from "@codemirror/state";
import { EditorView } from "@codemirror/view";

// Tags that are remembered: somebody who types has a few of them open.
const MOST = 100;

/** Where the closing tags begin that the editor has written and nobody has typed over yet. */
const written = StateField.define<readonly number[]>({
  create: () => [],
  update: (before, change) =>
    change.docChanged ? [...moved(before, change), ...added(change)].slice(-MOST) : before,
});

function moved(before: readonly number[], { changes }: Transaction): number[] {
  // What is typed at the beginning of a tag stands before it.
  return before
    .map((at) => changes.mapPos(at, 1, MapMode.TrackAfter))
    .filter((at): at is number => at !== null);
}

function added(change: Transaction): number[] {
  const found: number[] = [];
  if (change.isUserEvent("input.complete")) {
    change.changes.iterChanges((_fromA, _toA, from, _toB, text) => {
      if (/^<\/[\w:-]+>$/.test(text.toString())) {
        found.push(from);
      }
    });
  }
  return found;
}

const typing = EditorView.inputHandler.of((view, from, to, text, insert) => {
  if (view.composing || view.state.readOnly || from !== to) {
    return false;
  }
  const { doc } = view.state;
  // Otherwise the editor would complete the tag, and what is typed next would come on top.
  if (text === "/" && doc.sliceString(from - 1, from) === "<") {
    view.dispatch(insert());
    return true;
  }
  if (text !== ">" || !view.state.field(written).includes(from)) {
    return false;
  }
  const line = doc.lineAt(from);
  const tag = `${/<\/[\w:-]+$/.exec(line.text.slice(0, from - line.from))?.[0]}>`;
  if (doc.sliceString(from, from + tag.length) !== tag) {
    return false;
  }
  view.dispatch({
    changes: { from, to: from + tag.length, insert: text },
    selection: { anchor: from + text.length },
    userEvent: "input.type",
  });
  return true;
});

/** Takes a closing tag that somebody types for the one that the editor has written, so that it is not there twice. */
export const typedClosingTags: Extension = [written, Prec.high(typing)];
