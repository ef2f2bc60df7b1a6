import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Reason } from "~/api/reasons";
import { outcomeOf, plain } from "~/screens/message/outcome";
import type { Content, Delivery, Event, Step } from "~/screens/message/queries";
import { adviceOn, hasArrived, isUnderWay } from "~/screens/message/words";

// The texts are those of the OpenAPI document. Advice is repeated for what the tests look at.
const ADVICE: Readonly<Record<string, string>> = {
  recipient_refused: "Check the address.",
  missing_phone: "Send the recipient's phone number with the event, or store it with the recipient.",
  provider_timeout: "Wait: it is tried again. Look at the status page of the provider if it lasts.",
  hard_bounce: "Remove or correct the address.",
  not_requested: "Nothing needs to be done. Name the channel in the request if it is wanted.",
  canceled: "Send the event again if it is wanted after all.",
  suppressed_bounced: "Check the address. Lift the suppression if it works again.",
  no_active_template:
    "Create a template for this event type and channel and activate it, then replay the event.",
};
const AFTERWARDS: Readonly<Record<string, string | null>> = {
  provider_timeout: "Look at the status page of the provider if it lasts.",
};
const SUFFICIENT = new Set(["not_requested", "canceled", "suppressed_bounced", "no_active_template"]);
const TEXTS = new Map(
  [...readFileSync("src/api/schema.d.ts", "utf-8").matchAll(/ - `(\w+)`: (.+)$/gm)].map(([, word, text]) => [
    word ?? "",
    text ?? "",
  ]),
);
const reasonOf = (word: string | null): Reason | undefined => {
  const text = TEXTS.get(word ?? "");
  return text === undefined
    ? undefined
    : {
        reason: word ?? "",
        text,
        advice: ADVICE[word ?? ""] ?? null,
        advice_afterwards: AFTERWARDS[word ?? ""] ?? ADVICE[word ?? ""] ?? null,
        send_again: !SUFFICIENT.has(word ?? ""),
        responsible: "tenant",
        retried: false,
      };
};

const ADA = { user_id: "ada", email: "ada@example.com", phone: "+254712345678" };
const at = (seconds: number) => new Date(Date.UTC(2026, 3, 22, 12, 0, seconds)).toISOString();

function delivery(
  channel: Delivery["channel"],
  status: string | null,
  more: Partial<Delivery> = {},
): Delivery {
  const id = `${channel}-${more.recipient?.user_id ?? ""}${more.endpoint_id ?? ""}`;
  return {
    ...{
      id,
      event_id: "event",
      channel,
      status,
      reason: null,
      parked: null,
      endpoint_id: null,
      provider: null,
    },
    ...{ attempts: 1, updated_at: at(9), recipient: channel === "WEBHOOK" ? null : ADA },
    ...more,
  } as Delivery;
}

function step(name: string, more: Partial<Step> = {}): Step {
  return {
    step: name,
    time: at(3),
    outcome: "ok",
    reason: null,
    detail: null,
    next_attempt_at: null,
    ...more,
  } as Step;
}

function event(deliveries: readonly Delivery[], more: Partial<Event> = {}): Event {
  const counts: Record<string, number> = {};
  for (const { status } of deliveries) {
    counts[status ?? "queued"] = (counts[status ?? "queued"] ?? 0) + 1;
  }
  return {
    ...{
      id: "event",
      event_type: "order",
      recipient: ADA,
      several_recipients: false,
      reason: null,
      waiting: false,
    },
    ...{ accepted_at: at(0), due_at: null, finished_at: at(9), replay_of: null, counts, timeline: [] },
    ...{ deliveries, delivery_count: deliveries.length },
    ...more,
  } as unknown as Event;
}

function told(deliveries: readonly Delivery[], more: Partial<Event> = {}) {
  const { words, ...rest } = outcomeOf(event(deliveries, more), reasonOf);
  return { ...rest, text: plain(words) };
}

const sentStep = (channel: string, seconds: number) =>
  step("sent", { delivery_id: `${channel}-`, time: at(seconds) });

test("sent on one channel: to which address, and how long it took", () => {
  const { text, tone, todo } = told([delivery("EMAIL", "sent")], { timeline: [sentStep("EMAIL", 3)] });
  assert.equal(text, "Sent by e-mail to ada@example.com 3.0 s after it was accepted.");
  assert.deepEqual([tone, todo], ["good", ""]);
});

test("sent on several channels: to whom; the last one counts", () => {
  const timeline = [sentStep("EMAIL", 2), sentStep("SMS", 4)];
  const { text } = told([delivery("EMAIL", "sent"), delivery("SMS", "sent"), delivery("PUSH", "sent")], {
    timeline,
  });
  assert.equal(text, "Sent by e-mail, by SMS and by push to ada 4.0 s after it was accepted.");
});

test("delivered, as the provider reports", () => {
  const { text } = told([delivery("SMS", "delivered")], { timeline: [sentStep("SMS", 1)] });
  assert.equal(
    text,
    "Sent by SMS to +254712345678 1.0 s after it was accepted, and the provider reports that it was delivered.",
  );
});

test("a scheduled event says when; once it is sent, the time counts from when it was due", () => {
  const scheduled = told([], { waiting: true, due_at: at(60), finished_at: null });
  assert.equal(scheduled.text, `Scheduled: it is sent to ada at ${at(60)}.`);
  const sent = told([delivery("PUSH", "sent")], { due_at: at(60), timeline: [sentStep("PUSH", 61)] });
  assert.equal(sent.text, "Sent by push to ada 1.0 s after it was due.");
});

test("refused for good: the provider's words, and what to do", () => {
  const failed = delivery("EMAIL", "failed", { reason: "recipient_refused" });
  const timeline = [
    step("failed", {
      ...{ delivery_id: "EMAIL-", outcome: "failed", reason: "recipient_refused" },
      detail: "550 5.1.1 No such user.\r\n",
    }),
  ];
  const { text, tone, todo, about } = told([failed], { timeline });
  assert.equal(
    text,
    "Not sent by e-mail to ada@example.com, because the provider refuses the recipient's address (550 5.1.1 No such user).",
  );
  assert.deepEqual([tone, todo, about], ["bad", "Check the address. Then replay what was not sent.", failed]);
});

test("what others wrote is a piece of its own, and short", () => {
  const failed = delivery("EMAIL", "failed", { reason: "recipient_refused" });
  const detail = `<b>${"x".repeat(500)}</b>`;
  const timeline = [
    step("failed", { delivery_id: "EMAIL-", outcome: "failed", reason: "recipient_refused", detail }),
  ];
  const { words } = outcomeOf(event([failed], { timeline }), reasonOf);
  const names = words.filter((one) => typeof one !== "string" && "name" in one);
  assert.deepEqual(names, [{ name: "ada@example.com" }, { name: `<b>${"x".repeat(157)}…` }]);
});

test("given up: the advice is not to wait, because it is not tried again", () => {
  const dead = (reason: string) => told([delivery("EMAIL", "dead", { reason, attempts: 3 })]);
  const { text, todo } = dead("provider_timeout");
  assert.equal(
    text,
    "Not sent by e-mail to ada@example.com: given up after 3 attempts, because the provider did not answer in time.",
  );
  assert.equal(todo, "Look at the status page of the provider if it lasts. Then retry this delivery.");
  assert.equal(dead("provider_busy").todo, "Retry this delivery.");
});

test("partly sent: each channel, and what to do about the one that was not", () => {
  const { text, tone, todo } = told([
    delivery("EMAIL", "sent"),
    delivery("SMS", "skipped", { reason: "missing_phone" }),
  ]);
  assert.equal(
    text,
    "Partly sent to ada: the e-mail was sent; the SMS was skipped because the request has no phone number of the recipient.",
  );
  assert.deepEqual([tone, todo], ["wait", ADVICE.missing_phone]);
});

test("channels with the same trouble share a clause, and what failed comes first in the advice", () => {
  const { text, todo } = told([
    delivery("PUSH", "sent"),
    delivery("EMAIL", "skipped", { reason: "no_active_template" }),
    delivery("SMS", "failed", { reason: "recipient_refused" }),
  ]);
  assert.match(
    text,
    /^Partly sent to ada: the push was sent; the e-mail was skipped because the event type has no/,
  );
  assert.match(text, /; the SMS failed because the provider refuses the recipient's address\.$/);
  assert.equal(todo, "Check the address. Then replay what was not sent.");
  const both = ["EMAIL", "SMS"] as const;
  const skipped = told([
    delivery("PUSH", "sent"),
    ...both.map((one) => delivery(one, "skipped", { reason: "canceled" })),
  ]);
  assert.match(
    skipped.text,
    /; the e-mail and the SMS were skipped because the event was canceled before this was sent\.$/,
  );
});

test("channels that the request or the tenant does not want are not missed", () => {
  const quiet = [
    delivery("SMS", "skipped", { reason: "not_requested" }),
    delivery("PUSH", "skipped", { reason: "tenant_policy" }),
  ];
  const { text, tone } = told([delivery("EMAIL", "sent"), ...quiet]);
  assert.deepEqual([text, tone], ["Sent by e-mail to ada@example.com.", "good"]);
  assert.equal(
    told(quiet.slice(0, 1)).text,
    "Not sent by SMS to +254712345678, because the request names other channels.",
  );
});

test("suppressed", () => {
  const { text, todo } = told([delivery("EMAIL", "skipped", { reason: "suppressed_bounced" })]);
  assert.equal(
    text,
    "Not sent by e-mail to ada@example.com, because the address is suppressed: a message to it bounced.",
  );
  assert.equal(todo, ADVICE.suppressed_bounced);
});

test("reports: bounced and complained", () => {
  const bounced = told([delivery("EMAIL", "bounced", { reason: "hard_bounce" })]);
  assert.equal(
    bounced.text,
    "Sent by e-mail to ada@example.com, but it bounced because the address does not exist.",
  );
  assert.equal(bounced.todo, "Remove or correct the address. Then replay what was not sent.");
  const complained = told([delivery("EMAIL", "complained", { reason: "spam_complaint" })]);
  assert.match(
    complained.text,
    /^Sent by e-mail to ada@example\.com, with a complaint: the recipient reported/,
  );
});

test("under way: accepted, queued, tried again at its time, parked", () => {
  const open = { finished_at: null };
  assert.equal(told([], open).text, "Accepted, and on its way to ada.");
  assert.equal(told([delivery("EMAIL", "queued")], open).text, "On its way by e-mail to ada@example.com.");
  const timeline = [
    step("retrying", {
      ...{ delivery_id: "SMS-", outcome: "retrying", reason: "provider_timeout", next_attempt_at: at(30) },
    }),
  ];
  const retrying = told(
    [delivery("EMAIL", "sent"), delivery("SMS", "retrying", { reason: "provider_timeout" })],
    {
      ...open,
      timeline,
    },
  );
  assert.equal(
    retrying.text,
    `On its way to ada: the e-mail was sent; the SMS is tried again at ${at(30)} because the provider did not answer in time.`,
  );
  assert.deepEqual([retrying.tone, retrying.todo], ["wait", ADVICE.provider_timeout]);
  const parked = told([delivery("WEBHOOK", "queued", { parked: "endpoint_down", endpoint_id: "e1" })], open);
  assert.match(
    parked.text,
    /^Not sent yet by webhook to an endpoint: it waits because the endpoint failed several times/,
  );
});

test("canceled, and nobody to send it to", () => {
  const canceled = told([], { reason: "canceled" });
  assert.deepEqual([canceled.text, canceled.tone], ["Canceled before anything was sent.", "neutral"]);
  const nobody = told([], { reason: "no_recipient", recipient: null });
  assert.equal(nobody.text, "Not sent, because the event names no recipient.");
  const skipped = told([delivery("EMAIL", "skipped", { reason: "canceled" })]);
  assert.deepEqual([skipped.tone, skipped.todo], ["neutral", ADVICE.canceled]);
});

test("webhooks have no person; what nobody got is said", () => {
  const hooks = ["e1", "e2"].map((one) => delivery("WEBHOOK", "sent", { endpoint_id: one }));
  assert.equal(told(hooks, { recipient: null }).text, "Sent by webhook to 2 endpoints.");
  const rest = told(hooks.slice(0, 1), { recipient: null, reason: "no_active_template" });
  assert.match(
    rest.text,
    /^Sent by webhook to an endpoint; nothing else was sent, because the event type has no active/,
  );
  assert.equal(rest.todo, ADVICE.no_active_template);
  const mixed = told([delivery("EMAIL", "sent"), ...hooks]);
  assert.equal(mixed.text, "Sent by e-mail and by webhook to ada@example.com and 2 endpoints.");
});

test("several people without ids are not taken for one", () => {
  const people = ["ada@example.com", "bob@example.com"].map((email) => ({ user_id: "", email, phone: null }));
  const sent = people.map((recipient) => delivery("EMAIL", "sent", { recipient }));
  const { text } = told(sent, { recipient: null, several_recipients: true });
  assert.equal(text, "All 2 deliveries were sent.");
});

test("many deliveries are counted, with the usual reason", () => {
  const people = Array.from({ length: 12 }, (_, number) => ({ ...ADA, user_id: `u${number}` }));
  const all = { recipient: null, several_recipients: true };
  const sent = people.map((recipient) => delivery("EMAIL", "sent", { recipient }));
  assert.deepEqual([told(sent, all).text, told(sent, all).tone], ["All 12 deliveries were sent.", "good"]);
  const some = sent.map((one, index) =>
    index < 3 ? { ...one, status: "skipped", reason: index < 2 ? "missing_phone" : "canceled" } : one,
  ) as Delivery[];
  const partly = told(some, all);
  assert.equal(
    partly.text,
    "Partly sent: of 12 deliveries 9 were sent, 3 skipped, mostly because the request has no phone number of the recipient.",
  );
  assert.equal(partly.todo, ADVICE.missing_phone);
});

test("more deliveries than are listed: the counts of the API, and where to look", () => {
  const listed = [delivery("EMAIL", "sent")];
  const many = told(listed, {
    ...{ several_recipients: true, delivery_count: 1200, finished_at: null },
    counts: { sent: 1000, failed: 150, dead: 40, queued: 10 },
  });
  assert.equal(many.text, "On its way: of 1,200 deliveries 1,000 were sent, 10 on their way and 190 failed.");
  assert.deepEqual([many.tone, many.todo], ["bad", "Choose a status below to see which, and why."]);
});

test("what was replayed needs nothing more: the newest replay comes first", () => {
  const timeline = [
    step("replayed", { detail: "first" }),
    step("replayed", { detail: "second", time: at(7) }),
  ];
  const { replays, todo } = told([delivery("EMAIL", "failed", { reason: "recipient_refused" })], {
    timeline,
  });
  assert.deepEqual([replays.map((one) => one.id), replays[0]?.at, todo], [["second", "first"], at(7), ""]);
});

test("each reason makes a sentence, and one of another version says so", () => {
  assert.ok(TEXTS.size > 70);
  for (const reason of [...TEXTS.keys(), "of_tomorrow"]) {
    const { text } = told([delivery("EMAIL", "failed", { reason })]);
    assert.match(text, /^Not sent by e-mail to ada@example\.com, because (?:[a-z]|Clarion).*[^.]\.$/, reason);
  }
});

test("a channel that was not asked for is called as requests call it", () => {
  const reason = reasonOf("not_requested");
  assert.match(adviceOn(reason, "SMS"), /add "SMS" to the "channels" of the request\.$/);
  assert.match(adviceOn(reason, "WEBHOOK"), /leave "channels" out of the request\..+"WEBHOOK"/);
  assert.equal(adviceOn(reasonOf("missing_phone"), "SMS"), ADVICE.missing_phone);
  assert.equal(adviceOn(undefined, "SMS"), "");
});

test("what was made for an attempt arrived only if somebody took it", () => {
  const tried = { delivery_id: "EMAIL-", channel: "EMAIL" } as const;
  const calls = [
    step("retrying", { ...tried, attempt: 1, replay: 0, http: null }),
    step("sent", { ...tried, attempt: 2, replay: 0 }),
    step("failed", {
      ...tried,
      delivery_id: "WEBHOOK-",
      attempt: 1,
      replay: 0,
      http: { status: 500 } as never,
    }),
    step("failed", {
      ...tried,
      delivery_id: "WEBHOOK-",
      attempt: 2,
      replay: 0,
      http: { status: null } as never,
    }),
  ];
  const of = (delivery_id: string, channel: string, attempt: number) =>
    hasArrived(event([], { timeline: calls }), { delivery_id, channel, attempt, replay: 0 } as Content);
  assert.deepEqual([of("EMAIL-", "EMAIL", 1), of("EMAIL-", "EMAIL", 2)], [false, true]);
  assert.deepEqual([of("WEBHOOK-", "WEBHOOK", 1), of("WEBHOOK-", "WEBHOOK", 2)], [true, false]);
  assert.equal(of("EMAIL-", "EMAIL", 3), undefined);
});

test("an event is under way while some of it is still to be sent by itself", () => {
  assert.equal(isUnderWay(event([delivery("EMAIL", "retrying")])), true);
  assert.equal(isUnderWay(event([delivery("EMAIL", "sent")], { finished_at: null })), true);
  assert.equal(isUnderWay(event([delivery("EMAIL", "failed")])), false);
});
