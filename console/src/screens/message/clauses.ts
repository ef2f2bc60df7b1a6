import type { Reason } from "~/api/reasons";
import type { Delivery, Event } from "./queries";

/** A sentence in pieces: text, a name or another text that somebody else wrote, a time. */
export type Words = readonly (string | { name: string } | { at: string })[];

/** What sentences are made of. */
export interface Told {
  event: Event;
  reasonOf: (word: string | null) => Reason | undefined;
}

/** Deliveries that stand the same way for the same reason. */
export interface Group {
  status: string;
  reason: string | null;
  size: number;
  first: Delivery;
  channels: readonly string[];
  /** Such as "3 attempts". */
  attempts: string;
  isParked: boolean;
  /** It waits for its first attempt, and nothing is in its way. */
  isQueued: boolean;
  /** What the provider or the renderer said last. */
  detail: (event: Event) => string;
}

/** How a channel sends. */
export const WAYS: Readonly<Record<string, string>> = {
  EMAIL: "by e-mail",
  SMS: "by SMS",
  PUSH: "by push",
  WEBHOOK: "by webhook",
};
const THINGS: Readonly<Record<string, string>> = {
  EMAIL: "the e-mail",
  SMS: "the SMS",
  PUSH: "the push",
  WEBHOOK: "the webhook",
};
// Skips that somebody wanted: nobody looks for what is missing.
const QUIET = new Set(["not_requested", "tenant_policy", "not_matched"]);
const LONGEST_DETAIL = 160;

/** Return whether a delivery was skipped because the request or the tenant does not want it. */
export function isQuiet(delivery: Delivery): boolean {
  return delivery.status === "skipped" && QUIET.has(delivery.reason ?? "");
}

/** Return the deliveries by how they stand and why, in their order. */
export function groupsOf(deliveries: readonly Delivery[]): Group[] {
  const found = new Map<string, Delivery[]>();
  for (const one of deliveries) {
    const isSent = one.status === "sent" || one.status === "delivered";
    const key = JSON.stringify([one.status, isSent ? null : (one.reason ?? one.parked)]);
    found.set(key, [...(found.get(key) ?? []), one]);
  }
  return [...found.values()].map(group);
}

function group(deliveries: Delivery[]): Group {
  const first = deliveries[0] as Delivery;
  const ids = new Set(deliveries.map((one) => one.id));
  const status = first.status ?? "queued";
  return {
    status,
    reason: status === "sent" || status === "delivered" ? null : (first.parked ?? first.reason),
    size: deliveries.length,
    first,
    channels: deliveries.map((one) => one.channel),
    attempts: `${first.attempts} ${first.attempts === 1 ? "attempt" : "attempts"}`,
    isParked: first.parked !== null,
    isQueued: status === "queued" && first.parked === null,
    detail: (event) =>
      event.timeline.findLast((one) => ids.has(one.delivery_id ?? "") && one.outcome !== "ok" && one.reason)
        ?.detail ?? "",
  };
}

/** Return the clause on a group within a sentence, such as "the SMS was skipped because …". Its first word is what. */
export function clauseOf({ event, reasonOf }: Told, group: Group): Words {
  const why = reasonWords(reasonOf, group.reason, group.detail(event));
  const be = group.size === 1 ? "was" : "were";
  const what = thingsOf(group.channels);
  const waits = group.size === 1 ? "waits" : "wait";
  switch (group.status) {
    case "sent":
    case "delivered":
      return [what, ` ${be} ${group.status}`];
    case "skipped":
      return [what, ` ${be} skipped because `, ...why];
    case "failed":
      return [what, " failed because ", ...why];
    case "dead":
      return [what, ` ${be} given up after ${group.attempts} because `, ...why];
    case "bounced":
      return [what, " bounced because ", ...why];
    case "complained":
      return [what, " got a complaint: ", ...why];
    case "retrying": {
      const { next_attempt_at: at = null } =
        event.timeline.findLast((one) => one.delivery_id === group.first.id && one.next_attempt_at) ?? {};
      const when: Words = at ? [" at ", { at }] : [" soon"];
      return [what, ` ${group.size === 1 ? "is" : "are"} tried again`, ...when, " because ", ...why];
    }
    default:
      return group.isParked
        ? [what, ` ${waits} because `, ...why]
        : [what, ` ${waits} for ${group.size === 1 ? "its" : "their"} first attempt`];
  }
}

function thingsOf(channels: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const one of channels) {
    counts.set(one, (counts.get(one) ?? 0) + 1);
  }
  return joined(
    [...counts].map(([channel, count]) =>
      count === 1 ? (THINGS[channel] ?? channel) : `${count} ${(THINGS[channel] ?? channel).slice(4)}s`,
    ),
  );
}

/** Return a reason as it stands after "because", with what the provider said in brackets. */
export function reasonWords(reasonOf: Told["reasonOf"], word: string | null, detail = ""): Words {
  const text = reasonOf(word)?.text;
  const shown = text ? lowered(text.replace(/\.$/, "")) : `of ${word ?? "a reason that is not known"}`;
  const said = detail.replaceAll(/\s+/g, " ").trim().replace(/\.$/, "");
  const short = said.length > LONGEST_DETAIL ? `${said.slice(0, LONGEST_DETAIL).trimEnd()}\u2026` : said;
  return short ? [shown, " (", { name: short }, ")"] : [shown];
}

/** Return a sentence as it goes on after other words: names keep their capital. */
function lowered(text: string): string {
  return text.startsWith("Clarion") ? text : text.charAt(0).toLowerCase() + text.slice(1);
}

/** Return "a", "a and b", or "a, b and c". */
export function joined(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? "") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
