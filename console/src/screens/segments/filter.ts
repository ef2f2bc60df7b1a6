/** Filters of segments as groups of tests that a form can show: pure. docs/recipients.md explains them. */

import { typed } from "~/screens/workflows/rules";

export type Filter = Record<string, unknown>;

/** One comparison. value: as the API has it. */
export interface Test {
  field: string;
  op: string;
  value: unknown;
}

/** Tests and groups of which all, any, or none have to match. */
export interface Group {
  kind: "all" | "any" | "none";
  parts: Part[];
}

export type Part = Test | Group;

export const GROUP_WORDS: Readonly<Record<Group["kind"], string>> = {
  all: "all of these",
  any: "at least one of these",
  none: "none of these",
};

export const TEXTS = ["email", "recipient_id", "phone", "name", "locale", "timezone"] as const;
export const LISTS = ["tags", "groups", "muted_channels"] as const;
export const TIMES = ["created_at", "updated_at"] as const;
export const DATA = "data.";

export const FIELD_WORDS: Readonly<Record<string, string>> = {
  tags: "Tags",
  email: "E-mail",
  recipient_id: "Id",
  phone: "Phone",
  name: "Name",
  locale: "Language",
  timezone: "Time zone",
  groups: "Groups",
  muted_channels: "Muted channels",
  created_at: "Stored",
  updated_at: "Changed",
};

const OP_WORDS: Readonly<Record<string, string>> = {
  is: "is",
  is_not: "is not",
  contains: "contains",
  starts_with: "begins with",
  ends_with: "ends with",
  in: "is one of",
  exists: "is there",
  less: "is less than",
  at_most: "is at most",
  more: "is more than",
  at_least: "is at least",
  before: "is before",
  after: "is after",
  has: "has the entry",
  has_all: "have all of",
  has_any: "have at least one of",
  has_none: "have none of",
  within: "within the last",
  not_within: "not within the last",
};

/** What a test compares with. */
export type ValueKind = "text" | "any" | "texts" | "anys" | "number" | "date" | "time" | "seconds" | "flag";

const TEXT_OPS: Readonly<Record<string, ValueKind>> = {
  is: "text",
  is_not: "text",
  contains: "text",
  starts_with: "text",
  ends_with: "text",
  in: "texts",
  exists: "flag",
};
const DATA_OPS: Readonly<Record<string, ValueKind>> = {
  ...TEXT_OPS,
  is: "any",
  is_not: "any",
  in: "anys",
  more: "number",
  at_least: "number",
  less: "number",
  at_most: "number",
  before: "date",
  after: "date",
  has: "text",
};
const LIST_OPS: Readonly<Record<string, ValueKind>> = {
  has_all: "texts",
  has_any: "texts",
  has_none: "texts",
};
const TIME_OPS: Readonly<Record<string, ValueKind>> = {
  within: "seconds",
  not_within: "seconds",
  before: "time",
  after: "time",
};
const MONTH_S = 30 * 86_400;

/** Return the comparisons that a field has, with what each compares with. */
export function opsOf(field: string): Readonly<Record<string, ValueKind>> {
  if (field.startsWith(DATA)) {
    return DATA_OPS;
  }
  if (LISTS.some((one) => one === field)) {
    return LIST_OPS;
  }
  return TIMES.some((one) => one === field) ? TIME_OPS : TEXT_OPS;
}

/** Return a comparison in words. */
export function opWords(op: string): string {
  return OP_WORDS[op] ?? op;
}

/** Return a test of a field to begin with. */
export function newTest(field: string): Test {
  const [op = "is"] = Object.keys(opsOf(field));
  return { field, op, value: startOf(opsOf(field)[op] ?? "text") };
}

/** Return a value to begin with. */
export function startOf(kind: ValueKind): unknown {
  switch (kind) {
    case "texts":
    case "anys":
      return [];
    case "number":
      return 0;
    case "seconds":
      return MONTH_S;
    case "flag":
      return true;
    default:
      return "";
  }
}

/** Return whether a part is a group. */
export function isGroup(part: Part): part is Group {
  return "parts" in part;
}

/** Return a filter as a group; null: it has a form that is not known here. */
export function toGroup(filter: Filter): Group | null {
  const part = toPart(filter);
  if (part === null) {
    return null;
  }
  return isGroup(part) ? part : { kind: "all", parts: [part] };
}

function toPart(filter: unknown): Part | null {
  if (typeof filter !== "object" || filter === null) {
    return null;
  }
  const { all, any, not, field, op, value } = filter as Record<string, unknown>;
  if (typeof field === "string" && typeof op === "string") {
    return op in opsOf(field) ? { field, op, value } : null;
  }
  if (Array.isArray(all)) {
    return group("all", all);
  }
  if (Array.isArray(any)) {
    return group("any", any);
  }
  if (not === undefined) {
    return null;
  }
  const inner = (not as Record<string, unknown> | null)?.any;
  return Array.isArray(inner) ? group("none", inner) : group("none", [not]);
}

function group(kind: Group["kind"], filters: readonly unknown[]): Group | null {
  const parts = filters.map(toPart);
  return parts.every((one) => one !== null) ? { kind, parts } : null;
}

/** Return whether every test has what it compares with. An unfinished one is no filter yet. */
export function isComplete(part: Part): boolean {
  if (isGroup(part)) {
    return part.parts.every(isComplete);
  }
  const { field, op, value } = part;
  if (field === DATA) {
    return false;
  }
  switch (opsOf(field)[op]) {
    case "texts":
    case "anys":
      return Array.isArray(value) && value.length > 0;
    case "number":
    case "seconds":
      return typeof value === "number";
    case "any":
    case "flag":
      return true;
    default:
      return value !== "";
  }
}

/** Return a group as the API has it. */
export function toFilter({ kind, parts }: Group): Filter {
  const filters = parts.map((part) => (isGroup(part) ? toFilter(part) : { ...part }));
  return kind === "none" ? { not: { any: filters } } : { [kind]: filters };
}

/** Return a filter's path that the API names in a fault, such as "filter.all[1].value", of the parts of a group. */
export function pathsOf(root: Group): ReadonlyMap<Part, string> {
  const found = new Map<Part, string>();
  const visit = (part: Part, path: string) => {
    found.set(part, path);
    if (isGroup(part)) {
      const below = part.kind === "none" ? `${path}.not.any` : `${path}.${part.kind}`;
      for (const [index, inner] of part.parts.entries()) {
        visit(inner, `${below}[${index}]`);
      }
    }
  };
  visit(root, "filter");
  return found;
}

/** Return a value as it is typed into a field. */
export function written(value: unknown): string {
  if (Array.isArray(value)) {
    return value.map(written).join(", ");
  }
  if (typeof value === "string") {
    return typed(value) === value ? value : JSON.stringify(value);
  }
  return value === undefined ? "" : String(value);
}

/** Return what is typed as a value of a kind. */
export function read(text: string, kind: ValueKind): unknown {
  switch (kind) {
    case "any":
      return typed(text);
    case "texts":
      return listOf(text);
    case "anys":
      return listOf(text).map(typed);
    case "number":
      return text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text);
    default:
      return text;
  }
}

function listOf(text: string): string[] {
  return text
    .split(",")
    .map((one) => one.trim())
    .filter(Boolean);
}

/** Return a filter in a sentence without a full stop. */
export function filterSentence(filter: Filter): string {
  const found = toGroup(filter);
  return found === null ? JSON.stringify(filter) : groupSentence(found);
}

function groupSentence({ kind, parts }: Group): string {
  if (parts.length === 0) {
    return kind === "any" ? "Nobody" : "Everybody";
  }
  const words = parts.map((part) => (isGroup(part) ? `(${groupSentence(part)})` : testSentence(part)));
  const joined = words.join(kind === "all" ? " and " : " or ");
  return kind === "none" ? `not (${joined})` : joined;
}

function testSentence({ field, op, value }: Test): string {
  const name = FIELD_WORDS[field] ?? field;
  if (op === "exists") {
    return `${name} ${value === false ? "is not there" : "is there"}`;
  }
  if (op === "within" || op === "not_within") {
    return `${name} ${opWords(op)} ${Math.round(Number(value) / 86_400)} days`;
  }
  return `${name} ${opWords(op)} ${written(value)}`;
}
