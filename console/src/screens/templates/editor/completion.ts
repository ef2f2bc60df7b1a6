import {
  autocompletion,
  type Completion,
  type CompletionContext,
  type CompletionResult,
  snippetCompletion,
} from "@codemirror/autocomplete";
import { EditorState, type Extension } from "@codemirror/state";
import type { Variables, Vocabulary } from "../data";
import type { Mode } from "./codemirror";

/** What an editor can complete. */
export interface CompletionData {
  variables: Variables;
  partials: readonly string[];
  vocabulary: Vocabulary | undefined;
}

const MOST_VARIABLES = 300;
const MOST_DEPTH = 5;
const SHOWN = 40;

/** Complete what stands in {{…}}: variables of the sample, helpers, partials. MJML's elements come from its language. */
export function completions(data: () => CompletionData | undefined, mode: Mode): Extension {
  if (mode === "json") {
    return [];
  }
  // One source for all of the editor's life: a query is known by its source.
  const source = [{ autocomplete: (context: CompletionContext) => inHandlebars(context, data()) }];
  return [autocompletion({ icons: false }), EditorState.languageData.of(() => source)];
}

function inHandlebars(context: CompletionContext, data: CompletionData | undefined): CompletionResult | null {
  const opened = context.matchBefore(/\{\{\{?~?[^{}]*/);
  if (opened === null || data === undefined) {
    return null;
  }
  const inside = opened.text.replace(/^\{\{\{?~?/, "");
  if (inside.startsWith("!")) {
    return null;
  }
  const word = /[\w.@/[\]-]*$/.exec(inside)?.[0] ?? "";
  const from = context.pos - word.length;
  const before = inside.slice(0, inside.length - word.length);
  // The closing braces are there already if the editor wrote them.
  const closed = context.state.sliceDoc(context.pos, context.pos + 2) === "}}";
  const validFor = /^[\w.@/[\]-]*$/;
  if (/^#?>\s*$/.test(before)) {
    return { from, options: data.partials.map((label) => ({ label, type: "partial" })), validFor };
  }
  if (before.endsWith("#")) {
    return { from, options: blocks(data, closed), validFor };
  }
  const isFirst = before.trim() === "" || before.trim().endsWith("(");
  if (!isFirst && !/[\s(=]$/.test(before)) {
    return null;
  }
  const around = surrounding(context.state.sliceDoc(0, opened.from));
  const options = [
    ...variables(data.variables, around),
    ...(isFirst ? helpers(data) : []),
    ...special(before),
  ];
  return { from, options, validFor };
}

function helpers(data: CompletionData): Completion[] {
  return (data.vocabulary?.helpers ?? [])
    .filter((one) => one.writes_value)
    .map((one) => ({
      label: one.name,
      detail: one.signature.slice(one.name.length + 1),
      info: `${one.summary}\n${one.example}`,
      type: "function",
      apply: `${one.name} `,
      boost: -1,
    }));
}

function blocks(data: CompletionData, closed: boolean): Completion[] {
  const known = (data.vocabulary?.helpers ?? []).filter((one) => one.opens_block);
  return known.map((one) => {
    const completion = {
      label: one.name,
      detail: one.signature.slice(one.name.length + 1),
      info: `${one.summary}\n${one.example}`,
      type: "keyword",
    };
    const hasElse = one.name !== "with" && one.name !== "each";
    const inner = hasElse ? `}}#{2}{{else}}#{3}{{/${one.name}` : `}}#{2}{{/${one.name}`;
    return snippetCompletion(`${one.name} #{1:value}${inner}${closed ? "" : "}}"}`, completion);
  });
}

function special(before: string): Completion[] {
  const names = ["@index", "@first", "@last", "@key", "@root", "this", "../"];
  const loops = names.map((label) => ({ label, type: "keyword", boost: -2 }));
  return before.trim() === "" ? [...loops, { label: "else", type: "keyword", boost: -2 }] : loops;
}

/** Return the lists and objects that stand open before the cursor, outermost first: `{{#each items}}`. */
export function surrounding(text: string): string[] {
  const open: string[] = [];
  for (const found of text.matchAll(/\{\{~?([#/])\s*(each|with)\b\s*([\w.@[\]/-]*)/g)) {
    if (found[1] === "#") {
      open.push(found[3] ?? "");
    } else {
      open.pop();
    }
  }
  return open;
}

function variables(data: Variables, around: readonly string[]): Completion[] {
  const options = new Map<string, Completion>();
  let here: unknown = data;
  for (const path of around) {
    here = memberOf(here, path);
    here = Array.isArray(here) ? here[0] : here;
  }
  if (around.length > 0) {
    collect(here, "", 0, options, 2);
  }
  // Within a list, names of the whole are reached by @root.
  collect(data, around.length > 0 ? "@root." : "", 0, options, 1);
  return [...options.values()];
}

function memberOf(value: unknown, path: string): unknown {
  let found = value;
  for (const part of path.split(".").filter((one) => one !== "" && one !== "this")) {
    found = typeof found === "object" && found !== null ? (found as Variables)[part] : undefined;
  }
  return found;
}

function collect(
  value: unknown,
  prefix: string,
  depth: number,
  into: Map<string, Completion>,
  boost: number,
): void {
  if (typeof value !== "object" || value === null || Array.isArray(value) || depth > MOST_DEPTH) {
    return;
  }
  for (const [name, member] of Object.entries(value)) {
    if (into.size >= MOST_VARIABLES) {
      return;
    }
    const label = prefix + (/^[\w-]+$/.test(name) ? name : `[${name}]`);
    if (!into.has(label)) {
      into.set(label, { label, detail: shown(member), type: "variable", boost });
    }
    collect(member, `${label}.`, depth + 1, into, boost);
  }
}

function shown(value: unknown): string {
  if (Array.isArray(value)) {
    return `list of ${value.length}`;
  }
  const text = JSON.stringify(value) ?? "";
  return text.length > SHOWN ? `${text.slice(0, SHOWN - 1)}…` : text;
}
