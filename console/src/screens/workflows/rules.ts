/** Rules of JSON-Logic as rows of a form, and in words: pure. */

import type { Rule } from "./document";

export const OPERATORS = [
  "is",
  "is_not",
  "more",
  "at_least",
  "less",
  "at_most",
  "contains",
  "one_of",
  "set",
  "not_set",
] as const;
export type Operator = (typeof OPERATORS)[number];

export const OPERATOR_WORDS: Readonly<Record<Operator, string>> = {
  is: "is",
  is_not: "is not",
  more: "is more than",
  at_least: "is at least",
  less: "is less than",
  at_most: "is at most",
  contains: "contains",
  one_of: "is one of",
  set: "is set",
  not_set: "is not set",
};

/** One comparison. path: "event.data.plan". value: as it is typed; of one_of several, with commas between them. */
export interface Comparison {
  path: string;
  operator: Operator;
  value: string;
}

/** Comparisons of which all, or any, have to hold. */
export interface Comparisons {
  joined: "and" | "or";
  rows: Comparison[];
}

const SYMBOLS: Readonly<Partial<Record<Operator, string>>> = {
  is: "==",
  is_not: "!=",
  more: ">",
  at_least: ">=",
  less: "<",
  at_most: "<=",
};
const BY_SYMBOL = new Map(
  Object.entries(SYMBOLS).map(([operator, symbol]) => [symbol, operator as Operator]),
);
const LONGEST_WORDS = 160;

/** Return whether an operator compares with a value. */
export function takesValue(operator: Operator): boolean {
  return operator !== "set" && operator !== "not_set";
}

/** Return a rule as comparisons; null: it says more than a form can show. */
export function toComparisons(rule: Rule): Comparisons | null {
  const [joined, parts] = only(rule) ?? [];
  if ((joined === "and" || joined === "or") && Array.isArray(parts)) {
    const rows = parts.map((one) => comparison(one));
    return rows.length > 0 && rows.every((one) => one !== null) ? { joined, rows } : null;
  }
  const row = comparison(rule);
  return row && { joined: "and", rows: [row] };
}

/** Return comparisons as a rule. */
export function toRule({ joined, rows }: Comparisons): Rule {
  const made = rows.map(ruleOf);
  const [first] = made;
  return made.length === 1 && first ? first : { [joined]: made };
}

function ruleOf({ path, operator, value }: Comparison): Rule {
  const named = { var: path };
  switch (operator) {
    case "set":
      return { "!!": [named] };
    case "not_set":
      return { "!": [named] };
    case "contains":
      return { in: [typed(value), named] };
    case "one_of":
      return { in: [named, value.split(",").map((one) => typed(one.trim()))] };
    default:
      return { [SYMBOLS[operator] ?? "=="]: [named, typed(value)] };
  }
}

function comparison(rule: unknown): Comparison | null {
  const [symbol, raw] = only(rule) ?? [];
  if (symbol === undefined) {
    return null;
  }
  const parts = Array.isArray(raw) ? raw : [raw];
  const [left, right] = parts;
  const path = pathOf(left);
  if ((symbol === "!!" || symbol === "!") && parts.length === 1 && path !== null) {
    return { path, operator: symbol === "!!" ? "set" : "not_set", value: "" };
  }
  if (parts.length !== 2) {
    return null;
  }
  if (symbol === "in") {
    const container = pathOf(right);
    if (container !== null) {
      const value = written(left);
      return value === null ? null : { path: container, operator: "contains", value };
    }
    if (path !== null && Array.isArray(right)) {
      const values = right.map(written);
      // A comma within a value could not be told from those between them.
      const isPlain = values.length > 0 && values.every((one) => one !== null && !one.includes(","));
      return isPlain ? { path, operator: "one_of", value: values.join(", ") } : null;
    }
    return null;
  }
  const operator = BY_SYMBOL.get(symbol);
  const value = written(right);
  return operator === undefined || path === null || value === null ? null : { path, operator, value };
}

function only(value: unknown): [string, unknown] | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return null;
  }
  const [entry, ...others] = Object.entries(value);
  return entry !== undefined && others.length === 0 ? entry : null;
}

function pathOf(value: unknown): string | null {
  const [name, raw] = only(value) ?? [];
  const path = Array.isArray(raw) && raw.length === 1 ? raw[0] : raw;
  return name === "var" && typeof path === "string" && path !== "" ? path : null;
}

/** Return a typed value: a number, true, false, null, or a text. "12" in quotes is a text. */
export function typed(text: string): unknown {
  if (text === "true" || text === "false" || text === "null") {
    return JSON.parse(text);
  }
  if (/^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$/.test(text)) {
    return Number(text);
  }
  if (/^".*"$/s.test(text)) {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return text;
    }
  }
  return text;
}

/** Return how a value is typed; null: it is none that can be. */
function written(value: unknown): string | null {
  if (typeof value === "string") {
    return typed(value) === value ? value : JSON.stringify(value);
  }
  const isPlain = typeof value === "number" || typeof value === "boolean" || value === null;
  const text = String(value);
  return isPlain && typed(text) === value ? text : null;
}

/** Return a rule in words; one that a form cannot show as JSON. */
export function ruleWords(rule: Rule): string {
  const found = toComparisons(rule);
  if (found === null) {
    const text = JSON.stringify(rule);
    return text.length > LONGEST_WORDS ? `${text.slice(0, LONGEST_WORDS - 1)}…` : text;
  }
  return found.rows.map(comparisonWords).join(found.joined === "and" ? " and " : " or ");
}

function comparisonWords({ path, operator, value }: Comparison): string {
  const words = OPERATOR_WORDS[operator];
  if (!takesValue(operator)) {
    return `${path} ${words}`;
  }
  const values = operator === "one_of" ? value.split(",").map((one) => one.trim()) : [value];
  const quoted = values.map((one) => (typeof typed(one) === "string" ? `“${String(typed(one))}”` : one));
  return `${path} ${words} ${quoted.join(", ")}`;
}
