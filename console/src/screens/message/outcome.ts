import type { Reason } from "~/api/reasons";
import { duration } from "~/kit/Time";
import {
  clauseOf,
  type Group,
  groupsOf,
  isQuiet,
  joined,
  reasonWords,
  type Told,
  WAYS,
  type Words,
} from "./clauses";
import type { Delivery, Event } from "./queries";
import { adviceOn, type Replay, replaysOf } from "./words";

export type { Words } from "./clauses";

/** What became of a message, in one sentence, and what to do next. */
export interface Outcome {
  tone: "good" | "bad" | "wait" | "calm" | "neutral";
  words: Words;
  /** What to do; empty: nothing, or it was done already. */
  todo: string;
  /** The delivery that `todo` is about; null: it is about the event as a whole. */
  about: Delivery | null;
  /** The events that this one was sent again as, the newest first. */
  replays: readonly Replay[];
}

// With more deliveries, or several people, they are counted.
const MOST_TOLD = 8;
const LOST = new Set(["failed", "dead", "bounced", "complained"]);
const OPEN = new Set(["queued", "retrying", ""]);

/** Return what became of an event. reasonOf: what the words of reasons mean (useReasons()). */
export function outcomeOf(event: Event, reasonOf: (word: string | null) => Reason | undefined): Outcome {
  const told = { event, reasonOf };
  const outcome = event.waiting ? scheduled(event) : event.delivery_count === 0 ? ofNone(told) : ofSome(told);
  const replays = replaysOf(event);
  return { ...outcome, todo: replays.length > 0 ? "" : outcome.todo, replays };
}

type Answer = Omit<Outcome, "replays">;

function scheduled(event: Event): Answer {
  return {
    tone: "calm",
    words: ["Scheduled: it is sent", ...toPerson(event, []), " at ", { at: event.due_at ?? "" }, "."],
    todo: "",
    about: null,
  };
}

/** An event without deliveries: not routed yet, canceled, or for nobody. */
function ofNone({ event, reasonOf }: Told): Answer {
  if (event.reason === "canceled") {
    const advice = reasonOf(event.reason)?.advice ?? "";
    return { tone: "neutral", words: ["Canceled before anything was sent."], todo: advice, about: null };
  }
  if (event.reason) {
    const words = [
      "Not sent",
      ...toPerson(event, []),
      ", because ",
      ...reasonWords(reasonOf, event.reason),
      ".",
    ];
    return { tone: "wait", words, todo: adviceOf(reasonOf(event.reason), "failed"), about: null };
  }
  return event.finished_at
    ? { tone: "neutral", words: ["Nothing was to be sent: it is for nobody."], todo: "", about: null }
    : {
        tone: "calm",
        words: ["Accepted, and on its way", ...toPerson(event, []), "."],
        todo: "",
        about: null,
      };
}

function ofSome(told: Told): Answer {
  const { event } = told;
  const isComplete = event.deliveries.length >= event.delivery_count;
  const wanted = event.deliveries.filter((one) => !isQuiet(one));
  // If nothing at all was wanted, that is the answer.
  const deliveries = wanted.length > 0 ? wanted : event.deliveries;
  const people = new Set(deliveries.map(personOf).filter(Boolean));
  return isComplete && deliveries.length <= MOST_TOLD && people.size < 2
    ? oneByOne(told, deliveries)
    : counted(told, deliveries, isComplete);
}

/** Return what tells the people of an event from each other: not all of them have an id. */
function personOf({ recipient }: Delivery): string {
  return recipient?.user_id || recipient?.email || recipient?.phone || "";
}

function oneByOne(told: Told, deliveries: readonly Delivery[]): Answer {
  const { event, reasonOf } = told;
  const groups = groupsOf(deliveries);
  const [only] = groups;
  const rest = restOf(told);
  const answer = { tone: toneOf(deliveries), ...adviceFor(told, groups) };
  const target = toPerson(event, deliveries);
  const ways = joined([...new Set(deliveries.map((one) => WAYS[one.channel] ?? one.channel))]);
  if (deliveries.every((one) => one.status === "sent" || one.status === "delivered")) {
    const isDelivered = deliveries.every((one) => one.status === "delivered");
    const report = isDelivered ? [", and the provider reports that it was delivered"] : [];
    return {
      ...answer,
      words: ["Sent ", ways, ...target, ...timeTaken(event, deliveries), ...report, ...rest, "."],
    };
  }
  if (only && groups.length === 1) {
    return { ...answer, words: [...alone(told, only, ways, target), ...rest, "."] };
  }
  const isOpen = deliveries.some((one) => OPEN.has(one.status ?? ""));
  const isSent = deliveries.some((one) => one.status === "sent" || one.status === "delivered");
  const head = isOpen ? "On its way" : isSent ? "Partly sent" : "Not sent";
  const clauses = groups.flatMap((group, index) => [
    index > 0 ? "; " : "",
    ...clauseOf({ event, reasonOf }, group),
  ]);
  return { ...answer, words: [head, ...target, ": ", ...clauses, ...rest, "."] };
}

/** Return the sentence, without its end, of deliveries that all stand the same way and were not simply sent. */
function alone(told: Told, group: Group, ways: string, target: Words): Words {
  const why = reasonWords(told.reasonOf, group.reason, group.detail(told.event));
  switch (group.status) {
    case "bounced":
      return ["Sent ", ways, ...target, ", but it bounced because ", ...why];
    case "complained":
      return ["Sent ", ways, ...target, ", with a complaint: ", ...why];
    case "dead":
      return ["Not sent ", ways, ...target, `: given up after ${group.attempts}, because `, ...why];
    case "failed":
    case "skipped":
      return ["Not sent ", ways, ...target, ", because ", ...why];
    default: {
      const [, ...clause] = clauseOf(told, group);
      return group.isQueued
        ? ["On its way ", ways, ...target]
        : ["Not sent yet ", ways, ...target, group.size === 1 ? ": it" : ": they", ...clause];
    }
  }
}

/** Return the sentence on many deliveries: how many stand how, and the usual reason if all of them are known. */
function counted(told: Told, deliveries: readonly Delivery[], isComplete: boolean): Answer {
  const { event, reasonOf } = told;
  const counts = isComplete ? countsOf(deliveries) : event.counts;
  const count = (...statuses: string[]) => statuses.reduce((sum, one) => sum + (counts[one] ?? 0), 0);
  const total = Object.values(counts).reduce((sum, one) => sum + one, 0);
  const sent = count("sent", "delivered");
  const parts = [
    [count("queued"), "on their way"],
    [count("retrying"), "tried again"],
    [count("skipped"), "skipped"],
    [count("failed", "dead"), "failed"],
    [count("bounced"), "bounced"],
    [count("complained"), "with a complaint"],
  ] as const;
  const others = parts
    .filter(([number]) => number > 0)
    .map(([number, word]) => `${NUMBER.format(number)} ${word}`);
  const isOpen = !event.finished_at || count("queued", "retrying") > 0;
  if (others.length === 0) {
    const words = [
      `${isOpen ? "On its way: so far all" : "All"} ${NUMBER.format(total)} deliveries were sent`,
    ];
    return { tone: isOpen ? "calm" : "good", words: [...words, ...restOf(told), "."], todo: "", about: null };
  }
  const head = isOpen ? "On its way" : sent > 0 ? "Partly sent" : "Not sent";
  const troubled = groupsOf(deliveries.filter((one) => !isGood(one) && one.status !== "queued"));
  const usual = isComplete ? troubled.sort((one, other) => other.size - one.size)[0] : undefined;
  const why = usual
    ? [troubled.length > 1 ? ", mostly because " : ", because ", ...reasonWords(reasonOf, usual.reason)]
    : [];
  const tone = count("failed", "dead", "bounced", "complained") > 0 ? "bad" : isOpen ? "calm" : "wait";
  return {
    tone,
    words: [
      `${head}: of ${NUMBER.format(total)} deliveries ${NUMBER.format(sent)} ${sent === 1 ? "was" : "were"} sent, `,
      joined(others),
      ...why,
      ...restOf(told),
      ".",
    ],
    ...(usual
      ? { todo: adviceOf(reasonOf(usual.reason), usual.status), about: usual.first }
      : { todo: isComplete ? "" : "Choose a status below to see which, and why.", about: null }),
  };
}

const NUMBER = new Intl.NumberFormat("en");

function countsOf(deliveries: readonly Delivery[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of deliveries) {
    counts[status ?? "queued"] = (counts[status ?? "queued"] ?? 0) + 1;
  }
  return counts;
}

function isGood(delivery: Delivery): boolean {
  return delivery.status === "sent" || delivery.status === "delivered";
}

function toneOf(deliveries: readonly Delivery[]): Outcome["tone"] {
  if (deliveries.some((one) => LOST.has(one.status ?? ""))) {
    return "bad";
  }
  if (deliveries.some((one) => one.status === "retrying" || one.parked)) {
    return "wait";
  }
  if (deliveries.some((one) => OPEN.has(one.status ?? ""))) {
    return "calm";
  }
  if (deliveries.every((one) => one.reason === "canceled" || isQuiet(one))) {
    return "neutral";
  }
  return deliveries.every(isGood) ? "good" : "wait";
}

/** Return why the rest of an event is not sent, if some of it is. */
function restOf({ event, reasonOf }: Told): Words {
  return event.reason && event.reason !== "canceled" && event.reason !== "no_subscriber"
    ? ["; nothing else was sent, because ", ...reasonWords(reasonOf, event.reason)]
    : [];
}

/** Return what to do about the gravest group: what failed comes before what is tried again or was skipped. */
function adviceFor(told: Told, groups: readonly Group[]): { todo: string; about: Delivery | null } {
  const rank = (group: Group) =>
    LOST.has(group.status) ? 0 : group.status === "retrying" || group.isParked ? 1 : group.reason ? 2 : 3;
  const [gravest] = [...groups].sort((one, other) => rank(one) - rank(other));
  if (gravest && rank(gravest) < 3) {
    return {
      todo: adviceOf(told.reasonOf(gravest.reason), gravest.status, gravest.first.channel),
      about: gravest.first,
    };
  }
  const { event, reasonOf } = told;
  return { todo: restOf(told).length > 0 ? adviceOf(reasonOf(event.reason), "failed") : "", about: null };
}

/** Return what to do about a reason, as it holds for a delivery of that status; empty: nothing. */
export function adviceOf(reason: Reason | undefined, status: string, channel?: Delivery["channel"]): string {
  if (OPEN.has(status) || status === "skipped" || reason?.reason === "not_requested") {
    return adviceOn(reason, channel ?? null);
  }
  const advice = reason?.advice_afterwards ?? "";
  if (reason && !reason.send_again) {
    return advice;
  }
  const again =
    status === "dead" || channel === "WEBHOOK" ? "etry this delivery." : "eplay what was not sent.";
  return advice ? `${advice} Then r${again}` : `R${again}`;
}

/** Return " to" and for whom the deliveries are; nothing if that is not known. */
function toPerson(event: Event, deliveries: readonly Delivery[]): Words {
  const personal = deliveries.filter((one) => one.channel !== "WEBHOOK");
  const endpoints = new Set(
    deliveries.filter((one) => one.channel === "WEBHOOK").map((one) => one.endpoint_id),
  ).size;
  const [first] = personal;
  const person = first?.recipient ?? event.recipient;
  const addresses: Readonly<Record<string, string | null | undefined>> = {
    EMAIL: person?.email,
    SMS: person?.phone,
  };
  const address = personal.every((one) => one.channel === first?.channel) && addresses[first?.channel ?? ""];
  const name = address || person?.user_id || person?.email || person?.phone;
  const isForPeople = personal.length > 0 || deliveries.length === 0;
  const words: Words = isForPeople && name ? [" to ", { name }] : [];
  if (endpoints === 0) {
    return words;
  }
  const shown = endpoints === 1 ? "an endpoint" : `${endpoints} endpoints`;
  return words.length > 0 ? [...words, ` and ${shown}`] : [` to ${shown}`];
}

/** Return how long after it was accepted, or due, the last of the deliveries was sent. */
function timeTaken(event: Event, deliveries: readonly Delivery[]): Words {
  const ids = new Set(deliveries.map((one) => one.id));
  const sent = event.timeline.filter(
    (one) => one.step === "sent" && ids.has(one.delivery_id ?? "") && one.time,
  );
  const from = event.due_at ?? event.accepted_at;
  if (sent.length === 0 || !from) {
    return [];
  }
  const took = Math.max(...sent.map((one) => Date.parse(one.time ?? ""))) - Date.parse(from);
  return took < 0 ? [] : [` ${duration(took)} after it was ${event.due_at ? "due" : "accepted"}`];
}

/** Return a sentence as plain text. */
export function plain(words: Words): string {
  return words.map((one) => (typeof one === "string" ? one : "name" in one ? one.name : one.at)).join("");
}
