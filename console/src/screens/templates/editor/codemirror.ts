import { closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { type ElementSpec, xml } from "@codemirror/lang-xml";
import {
  bracketMatching,
  foldGutter,
  foldKeymap,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { lintGutter, lintKeymap } from "@codemirror/lint";
import { EditorState, type Extension } from "@codemirror/state";
import {
  crosshairCursor,
  Decoration,
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
  MatchDecorator,
  ViewPlugin,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { nonce } from "~/kit/nonce";
import type { Vocabulary } from "../data";
import { typedClosingTags } from "./closingTags";
import { attributesOf, COMMON_ATTRIBUTES, HTML_ELEMENTS } from "./mjml";

/** markup: MJML or HTML with Handlebars. text: Handlebars. line: the same on one line. json: sample data. */
export type Mode = "markup" | "text" | "line" | "json";

interface BaseOptions {
  label: string;
  isReadOnly: boolean;
  describedBy?: string;
  onSave: () => void;
}

/** What every editor has: keys, look, history. */
export function baseExtensions(
  mode: Mode,
  { label, isReadOnly, describedBy, onSave }: BaseOptions,
): Extension {
  const run = () => {
    onSave();
    return true;
  };
  const save = { key: "Mod-s", preventDefault: true, run };
  const keys = [
    save,
    ...closeBracketsKeymap,
    ...completionKeymap,
    ...historyKeymap,
    ...lintKeymap,
    ...(mode === "line" ? [] : [...foldKeymap, indentWithTab]),
    ...defaultKeymap,
  ];
  return [
    EditorView.cspNonce.of(nonce),
    EditorState.readOnly.of(isReadOnly),
    EditorView.contentAttributes.of({
      "aria-label": label,
      tabindex: "0",
      spellcheck: "false",
      ...(describedBy && { "aria-describedby": describedBy }),
    }),
    history(),
    drawSelection(),
    crosshairCursor(),
    indentUnit.of("  "),
    closeBrackets(),
    bracketMatching(),
    EditorView.lineWrapping,
    mode === "line" ? onOneLine : [lineNumbers(), foldGutter(), indentOnInput(), highlightActiveLineGutter()],
    mode === "line" ? [] : [highlightActiveLine(), lintGutter()],
    keymap.of(keys),
    replacing,
    syntaxHighlighting(HIGHLIGHTS),
    mode === "json" ? [] : handlebars,
    LOOK,
  ];
}

/** The language of a mode. */
export function languageExtensions(mode: Mode, known: Vocabulary["elements"] | undefined): Extension {
  if (mode !== "markup") {
    return [];
  }
  const elements = (known ?? []).map(
    (one): ElementSpec => ({
      name: one.name,
      children: one.has_text ? HTML_ELEMENTS : one.children,
      top: ["mjml", "mj-section", "mj-wrapper", "mj-hero"].includes(one.name),
      attributes: attributesOf(one.name),
    }),
  );
  const html = HTML_ELEMENTS.map((name): ElementSpec => ({ name, children: HTML_ELEMENTS }));
  return [typedClosingTags, xml({ elements: [...elements, ...html], attributes: COMMON_ATTRIBUTES })];
}

// Enter, and lines that are pasted, become spaces.
const onOneLine: Extension = EditorState.transactionFilter.of((transaction) => {
  if (!transaction.docChanged || transaction.newDoc.lines === 1) {
    return transaction;
  }
  const text = transaction.newDoc.toString().replace(/\s*\n\s*/g, " ");
  // Enter alone changes nothing.
  if (text.trim() === transaction.startState.doc.toString().trim()) {
    return [];
  }
  return { changes: { from: 0, to: transaction.startState.doc.length, insert: text } };
});

// Browsers that replace a selection of several lines write styles into the text, which the page's policy refuses.
const replacing = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { data, inputType } = event;
    const { main } = view.state.selection;
    if (main.empty || inputType !== "insertText" || data === null || view.composing) {
      return false;
    }
    const replace = () =>
      view.state.update(view.state.replaceSelection(data), { userEvent: "input.type", scrollIntoView: true });
    const handlers = view.state.facet(EditorView.inputHandler);
    if (!handlers.some((handle) => handle(view, main.from, main.to, data, replace))) {
      view.dispatch(replace());
    }
    event.preventDefault();
    return true;
  },
});

const HIGHLIGHTS = HighlightStyle.define([
  { tag: [tags.tagName, tags.angleBracket], color: "var(--calm)" },
  { tag: tags.attributeName, color: "var(--good)" },
  { tag: tags.attributeValue, color: "var(--wait)" },
  { tag: tags.comment, color: "var(--ink-soft)", fontStyle: "italic" },
]);

const TAG = Decoration.mark({ class: "cm-hbs" });
const BLOCK = Decoration.mark({ class: "cm-hbs cm-hbs-block" });
const COMMENT = Decoration.mark({ class: "cm-hbs-comment" });

const finder = new MatchDecorator({
  regexp: /\{\{!--[\s\S]*?--\}\}|\{\{\{?[^{}]*\}\}\}?/g,
  decoration: ([text = ""]) => {
    if (text.startsWith("{{!")) {
      return COMMENT;
    }
    return /^\{\{~?(?:[#/^>]|else\b)/.test(text) ? BLOCK : TAG;
  },
});

// Handlebars stands within tags, attributes and texts: no tree of the markup has it.
const handlebars = ViewPlugin.define(
  (view) => ({
    decorations: finder.createDeco(view),
    update(update) {
      this.decorations = finder.updateDeco(update, this.decorations);
    },
  }),
  { decorations: (plugin) => plugin.decorations },
);

const LOOK = EditorView.theme({
  "&": { backgroundColor: "var(--card)", color: "var(--ink)", fontSize: "var(--text-small)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--ink)", padding: "0.4rem 0" },
  ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--card)", color: "var(--ink-soft)", border: "0" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in oklab, var(--accent) 25%, transparent)",
  },
  ".cm-matchingBracket": { backgroundColor: "var(--accent-ground)", outline: "1px solid var(--line-strong)" },
  ".cm-hbs": { color: "var(--accent)", backgroundColor: "var(--accent-ground)", borderRadius: "2px" },
  ".cm-hbs *": { color: "var(--accent)" },
  ".cm-hbs-block": { fontWeight: "600" },
  ".cm-hbs-comment, .cm-hbs-comment *": { color: "var(--ink-soft)", fontStyle: "italic" },
  ".cm-tooltip": {
    backgroundColor: "var(--raised)",
    color: "var(--ink)",
    border: "1px solid var(--line-strong)",
    borderRadius: "var(--radius-small)",
    boxShadow: "var(--shadow)",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": {
    backgroundColor: "var(--accent)",
    color: "var(--on-accent)",
  },
  ".cm-completionDetail": { color: "inherit", opacity: "0.85", fontStyle: "normal" },
  ".cm-completionInfo": { maxWidth: "24rem", padding: "0.5rem 0.7rem", whiteSpace: "pre-wrap" },
  ".cm-diagnostic": { padding: "0.3rem 0.6rem" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad)" },
});
