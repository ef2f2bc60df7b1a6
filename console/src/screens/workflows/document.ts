/** The document of a workflow, and changes of it: pure. docs/workflows.md explains its fields. */

/** A JSON-Logic rule. */
export type Rule = Record<string, unknown>;

interface Common {
  id: string;
  name?: string;
  only_if?: Rule;
}

/** The channels that reach people. */
export const CHANNELS = ["EMAIL", "SMS", "PUSH"] as const;
export type SendChannel = (typeof CHANNELS)[number];

export interface SendStep extends Common {
  kind: "send";
  channel: SendChannel;
  template: { key: string; version?: number };
}

export interface Until {
  time: string;
  timezone?: string;
  /** Absent: all. */
  days?: string[] | undefined;
}

export interface From {
  path: string;
  offset_s?: number;
}

export interface Within {
  from: string;
  to: string;
  timezone?: string;
  /** Absent: all. */
  days?: string[] | undefined;
}

/** Exactly one of the last four. */
export interface DelayStep extends Common {
  kind: "delay";
  for_s?: number;
  until?: Until;
  from?: From;
  within?: Within;
}

export interface ConditionStep extends Common {
  kind: "condition";
  rule: Rule;
  then?: Step[];
  else?: Step[];
}

export interface ParallelStep extends Common {
  kind: "parallel";
  branches: Step[][];
}

export interface WebhookStep extends Common {
  kind: "webhook";
  endpoint_id: string;
}

export interface StopStep extends Common {
  kind: "stop";
}

export type Step = SendStep | DelayStep | ConditionStep | ParallelStep | WebhookStep | StopStep;
export type StepKind = Step["kind"];

export interface Filters {
  tags?: string[];
  segment_id?: string;
  cooldown_s?: number;
}

export interface WorkflowDocument {
  filters?: Filters;
  category?: string;
  steps: Step[];
}

/** Where a step is or can be put: before the step at `index` of a list. parent: the step with the list; null: the document. */
export interface Place {
  parent: string | null;
  /** Which list of the parent: of a condition 0 is "then", 1 is "else". */
  list: number;
  index: number;
}

export const KINDS: readonly StepKind[] = ["send", "delay", "condition", "parallel", "webhook", "stop"];
// As services/router/workflows/reading.py has them.
export const MOST_STEPS = 50;
export const MOST_BRANCHES = 10;
const ID_LENGTH = 6;

/** Return a document of the API as one to work with; null: a newer version wrote it, and its form is not known here. */
export function readDocument(raw: Record<string, unknown>): WorkflowDocument | null {
  const { steps } = raw;
  return isSteps(steps) ? (raw as unknown as WorkflowDocument) : null;
}

function isSteps(value: unknown): value is Step[] {
  return Array.isArray(value) && value.every(isStep);
}

function isStep(value: unknown): value is Step {
  if (typeof value !== "object" || value === null) {
    return false;
  }
  const step = value as Record<string, unknown>;
  if (typeof step.id !== "string" || !KINDS.includes(step.kind as StepKind)) {
    return false;
  }
  switch (step.kind) {
    case "send":
      return typeof step.template === "object" && step.template !== null;
    case "condition":
      return [step.then, step.else].every((one) => one === undefined || one === null || isSteps(one));
    case "parallel":
      return Array.isArray(step.branches) && step.branches.every(isSteps);
    default:
      return true;
  }
}

/** Return the lists of steps within a step. */
export function listsOf(step: Step): Step[][] {
  switch (step.kind) {
    case "condition":
      return [step.then ?? [], step.else ?? []];
    case "parallel":
      return step.branches;
    default:
      return [];
  }
}

function withList(step: Step, list: number, steps: Step[]): Step {
  switch (step.kind) {
    case "condition":
      return list === 0 ? { ...step, then: steps } : { ...step, else: steps };
    case "parallel":
      return { ...step, branches: step.branches.map((one, index) => (index === list ? steps : one)) };
    default:
      return step;
  }
}

/** All steps in the order of the document, each with its place. path: as the API names it in faults. */
export interface Found {
  step: Step;
  place: Place;
  path: string;
  depth: number;
}

/** Return every step with where it is. */
export function walk(document: WorkflowDocument): Found[] {
  const found: Found[] = [];
  const visit = (steps: readonly Step[], parent: Found | null, list: number, path: string) => {
    for (const [index, step] of steps.entries()) {
      const one = {
        step,
        place: { parent: parent?.step.id ?? null, list, index },
        path: `${path}[${index}]`,
        depth: (parent?.depth ?? 0) + 1,
      };
      found.push(one);
      for (const [inner, some] of listsOf(step).entries()) {
        visit(some, one, inner, `${one.path}.${listName(step, inner)}`);
      }
    }
  };
  visit(document.steps, null, 0, "steps");
  return found;
}

function listName(step: Step, list: number): string {
  return step.kind === "condition" ? (list === 0 ? "then" : "else") : `branches[${list}]`;
}

/** Return the document with one list of steps changed. */
function changeList(
  document: WorkflowDocument,
  parent: string | null,
  list: number,
  change: (steps: Step[]) => Step[],
): WorkflowDocument {
  if (parent === null) {
    return { ...document, steps: change(document.steps) };
  }
  return updateStep(document, parent, (step) => withList(step, list, change(listsOf(step)[list] ?? [])));
}

/** Return the document with a step changed, wherever it is. */
export function updateStep(
  document: WorkflowDocument,
  id: string,
  change: (step: Step) => Step,
): WorkflowDocument {
  const visit = (steps: Step[]): Step[] =>
    steps.map((step) => {
      if (step.id === id) {
        return change(step);
      }
      return listsOf(step).reduce((made, some, list) => {
        const next = visit(some);
        return next.some((one, index) => one !== some[index]) ? withList(made, list, next) : made;
      }, step);
    });
  return { ...document, steps: visit(document.steps) };
}

/** Return the document with a step put at a place. */
export function insertStep(document: WorkflowDocument, place: Place, step: Step): WorkflowDocument {
  return changeList(document, place.parent, place.list, (steps) => steps.toSpliced(place.index, 0, step));
}

/** Return the document without a step and what is within it. */
export function removeStep(document: WorkflowDocument, id: string): WorkflowDocument {
  const found = walk(document).find((one) => one.step.id === id);
  return found
    ? changeList(document, found.place.parent, found.place.list, (steps) =>
        steps.filter((one) => one.id !== id),
      )
    : document;
}

/** Return whether a step can be put at a place: not into itself. */
export function mayMove(document: WorkflowDocument, id: string, place: Place): boolean {
  const moved = walk(document).find((one) => one.step.id === id);
  return moved !== undefined && !idsWithin(moved.step).has(place.parent ?? "");
}

/** Return the ids of a step and of those within it. */
export function idsWithin(step: Step): ReadonlySet<string> {
  return new Set(walk({ steps: [step] }).map((one) => one.step.id));
}

/** Return the document with a step at another place. place: as the document is now. */
export function moveStep(document: WorkflowDocument, id: string, place: Place): WorkflowDocument {
  const moved = walk(document).find((one) => one.step.id === id);
  if (moved === undefined || !mayMove(document, id, place)) {
    return document;
  }
  const { parent, list, index } = moved.place;
  const isLater = parent === place.parent && list === place.list && index < place.index;
  const target = isLater ? { ...place, index: place.index - 1 } : place;
  return insertStep(removeStep(document, id), target, moved.step);
}

/** Return all places to which a step could go, from top to bottom as they are shown. Those around itself are among them. */
export function placesFor(document: WorkflowDocument, id: string): Place[] {
  const found: Place[] = [];
  const visit = (steps: readonly Step[], parent: string | null, list: number) => {
    for (const [index, step] of steps.entries()) {
      found.push({ parent, list, index });
      if (step.id !== id) {
        for (const [inner, some] of listsOf(step).entries()) {
          visit(some, step.id, inner);
        }
      }
    }
    found.push({ parent, list, index: steps.length });
  };
  visit(document.steps, null, 0);
  return found;
}

/** Return the place one up (-1) or down (1) from where a step is; null: it is at the end. It goes into and out of lists. */
export function nextPlace(document: WorkflowDocument, id: string, direction: -1 | 1): Place | null {
  const own = walk(document).find((one) => one.step.id === id)?.place;
  const places = placesFor(document, id);
  const at = places.findIndex((one) => isSamePlace(one, own));
  // The places before and after the step are the same one.
  return (at < 0 ? null : places[direction < 0 ? at - 1 : at + 2]) ?? null;
}

function isSamePlace(one: Place, other: Place | undefined): boolean {
  return one.parent === other?.parent && one.list === other?.list && one.index === other?.index;
}

/** Return an id that no step has, and none had: the same id means the same step in all versions. */
function newId(kind: StepKind): string {
  const letters = crypto.getRandomValues(new Uint8Array(ID_LENGTH));
  return `${kind}-${[...letters].map((one) => (one % 36).toString(36)).join("")}`;
}

/** Return a new step of a kind, to be filled in. */
export function newStep(kind: StepKind): Step {
  const id = newId(kind);
  switch (kind) {
    case "send":
      return { id, kind, channel: "EMAIL", template: { key: "" } };
    case "delay":
      return { id, kind, for_s: 86_400 };
    case "condition":
      return { id, kind, rule: { "!!": [{ var: "contact.email" }] }, then: [], else: [] };
    case "parallel":
      return { id, kind, branches: [[], []] };
    case "webhook":
      return { id, kind, endpoint_id: "" };
    case "stop":
      return { id, kind };
  }
}

/** Return a copy of a step with what is within it, under new ids. */
export function copyOf(step: Step): Step {
  const copied = listsOf(step).reduce((made, some, list) => withList(made, list, some.map(copyOf)), step);
  return { ...copied, id: newId(step.kind) };
}

/** Return whether two documents say the same. */
export function isSame(one: WorkflowDocument, other: WorkflowDocument): boolean {
  return sorted(one) === sorted(other);
}

/** Return a value as JSON whose keys have one order. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  );
}
