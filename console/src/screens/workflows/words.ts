/** Workflows in words: pure. */

import { channelName } from "~/shell/channels";
import type { DelayStep, Filters, Step, StepKind, WorkflowDocument } from "./document";
import { listsOf } from "./document";
import { ruleWords } from "./rules";

export const KIND_WORDS: Readonly<Record<StepKind, string>> = {
  send: "Send a message",
  delay: "Wait",
  condition: "Condition",
  parallel: "At the same time",
  webhook: "Call an endpoint",
  stop: "Stop",
};
export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const DAY_WORDS: Readonly<Record<string, string>> = {
  mon: "Monday",
  tue: "Tuesday",
  wed: "Wednesday",
  thu: "Thursday",
  fri: "Friday",
  sat: "Saturday",
  sun: "Sunday",
};
const UNITS = [
  [86_400, "day"],
  [3600, "hour"],
  [60, "minute"],
  [1, "second"],
] as const;
export const RECIPIENT = "recipient";

/** Names of what a document has by its id only. */
export interface Names {
  segment: (id: string) => string;
  endpoint: (id: string) => string;
}

export const NO_NAMES: Names = { segment: (id) => id, endpoint: (id) => id };

/** Return the name of a day, such as "Monday". */
export function dayName(day: string): string {
  return DAY_WORDS[day] ?? day;
}

/** Return seconds in words, such as "1 day 2 hours". */
export function span(seconds: number): string {
  let left = Math.abs(seconds);
  const parts: string[] = [];
  for (const [size, name] of UNITS) {
    const count = size === 1 ? left : Math.floor(left / size);
    if (count > 0) {
      parts.push(`${count} ${name}${count === 1 ? "" : "s"}`);
      left -= count * size;
    }
  }
  return parts.join(" ") || "0 seconds";
}

/** Return what a step does, in a sentence without a full stop. */
export function stepWords(step: Step, names: Names = NO_NAMES): string {
  switch (step.kind) {
    case "send": {
      const { key, version } = step.template;
      const template = key ? `with the template ${key}` : "with a template that is not chosen yet";
      return `${channelName(step.channel)} ${template}${version ? `, version ${version}` : ""}`;
    }
    case "delay":
      return delayWords(step);
    case "condition":
      return `If ${ruleWords(step.rule ?? {})}`;
    case "parallel":
      return `At the same time, in ${step.branches.length} ${step.branches.length === 1 ? "branch" : "branches"}`;
    case "webhook":
      return step.endpoint_id
        ? `Call the endpoint ${names.endpoint(step.endpoint_id)}`
        : "Call an endpoint that is not chosen yet";
    case "stop":
      return "Stop: nothing after this is done";
  }
}

function delayWords({ for_s, until, from, within }: DelayStep): string {
  if (until) {
    return `Wait until ${onDays(until.days)}${until.time} (${zone(until.timezone)})`;
  }
  if (from) {
    const offset = from.offset_s ?? 0;
    const when = offset === 0 ? "" : `${span(offset)} ${offset < 0 ? "before" : "after"} `;
    return `Wait until ${when}${from.path || "a time that is not chosen yet"}`;
  }
  if (within) {
    return `Wait for ${onDays(within.days)}${within.from} to ${within.to} (${zone(within.timezone)})`;
  }
  return `Wait ${span(for_s ?? 0)}`;
}

function onDays(days: readonly string[] | undefined): string {
  return days && days.length > 0 && days.length < DAYS.length ? `${daysWords(days)}, ` : "";
}

function daysWords(days: readonly string[]): string {
  const sorted = DAYS.filter((one) => days.includes(one));
  const first = sorted[0];
  const last = sorted.at(-1);
  const isRow =
    sorted.length > 2 && DAYS.indexOf(last ?? "mon") - DAYS.indexOf(first ?? "mon") === sorted.length - 1;
  return isRow ? `${dayName(first ?? "")} to ${dayName(last ?? "")}` : sorted.map(dayName).join(", ");
}

function zone(timezone: string | undefined): string {
  return !timezone || timezone === RECIPIENT ? "the person’s time zone" : timezone;
}

/** Return how a step is called: by its name, else by what it does. */
export function titleOf(step: Step, names: Names = NO_NAMES): string {
  return step.name || stepWords(step, names);
}

/** Return who may start a workflow, in sentences; none: everybody. */
export function filterWords(filters: Filters | undefined, names: Names = NO_NAMES): string[] {
  const { tags = [], segment_id, cooldown_s = 0 } = filters ?? {};
  return [
    ...(tags.length > 0
      ? [`Only people with ${tags.length === 1 ? "the tag" : "all of the tags"} ${tags.join(", ")}`]
      : []),
    ...(segment_id ? [`Only people in the segment ${names.segment(segment_id)}`] : []),
    ...(cooldown_s > 0 ? [`At most once in ${span(cooldown_s)} for each person`] : []),
  ];
}

/** Return the names of a step's lists. */
export function listWords(step: Step, list: number): string {
  return step.kind === "condition" ? (list === 0 ? "Then" : "Otherwise") : `Branch ${list + 1}`;
}

/** Return a document as text, one line for each thing it says, to be compared with another version's. */
export function outline(document: WorkflowDocument, names: Names = NO_NAMES): string {
  const lines = filterWords(document.filters, names);
  if (document.category) {
    lines.push(`Category: ${document.category}`);
  }
  const visit = (steps: readonly Step[], indent: string) => {
    for (const step of steps) {
      lines.push(`${indent}${step.name ? `${step.name}: ` : ""}${stepWords(step, names)}`);
      if (step.only_if) {
        lines.push(`${indent}  (only if ${ruleWords(step.only_if)})`);
      }
      for (const [list, some] of listsOf(step).entries()) {
        lines.push(`${indent}  ${listWords(step, list)}${some.length === 0 ? ": nothing" : ""}`);
        visit(some, `${indent}    `);
      }
    }
  };
  visit(document.steps, "");
  return lines.join("\n");
}
