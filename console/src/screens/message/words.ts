import type { Reason } from "~/api/reasons";
import { outcomeName } from "../triggers/words";
import type { Content, Delivery, Event, Step } from "./queries";

const STEPS: Readonly<Record<string, string>> = {
  accepted: "Accepted",
  waiting: "Waits for its time",
  routed: "Routed",
  canceled: "Canceled",
  repeated: "A repeat asked for something else",
  replayed: "Replayed",
  queued: "Queued",
  skipped: "Skipped",
  rendered: "Rendered",
  sent: "Sent",
  retrying: "Failed, tried again later",
  failed_over: "Failed, the next provider was called",
  failed: "Failed",
  dead: "Failed for the last time",
  parked: "Waits for its endpoint",
  delivered: "Delivered",
  bounced: "Bounced",
  complained: "Complaint",
  unsubscribed: "Unsubscribed",
};

/** Return what a step of a timeline is called. */
export function stepName(step: Step): string {
  if (step.step === "workflow") {
    return `Workflow, ${step.workflow_step ?? "its run"}: ${outcomeName(step.outcome).toLowerCase()}`;
  }
  return STEPS[step.step] ?? step.step;
}

/** Return whether nothing more of a delivery is tried. */
export function isFinal(delivery: Delivery): boolean {
  return delivery.status !== null && delivery.status !== "queued" && delivery.status !== "retrying";
}

/** Return whether nothing of a delivery was ever handed over, and nothing will be. */
export function isUnsent(delivery: Delivery): boolean {
  return delivery.status === "skipped" && delivery.attempts === 0;
}

/** Return whom a delivery is for, as short as it is clear. */
export function whom(delivery: Delivery, event: Event): string {
  if (delivery.endpoint_id) {
    return `endpoint ${delivery.endpoint_id}`;
  }
  const person = delivery.recipient ?? event.recipient;
  const address = { EMAIL: person?.email, SMS: person?.phone }[delivery.channel as string];
  return address ?? person?.user_id ?? "";
}

/** An event that another one was sent again as. */
export interface Replay {
  id: string;
  at: string | null;
}

/** Return the events that an event was sent again as, the newest first. */
export function replaysOf(event: Event): readonly Replay[] {
  return event.timeline
    .flatMap((one) => (one.step === "replayed" && one.detail ? [{ id: one.detail, at: one.time }] : []))
    .reverse();
}

/** Return whether some of an event is still to be sent by itself. */
export function isUnderWay(event: Event): boolean {
  return !event.finished_at || (event.counts.queued ?? 0) + (event.counts.retrying ?? 0) > 0;
}

/** Return what to do about a reason; a channel that was not asked for is called as requests call it. */
export function adviceOn(reason: Reason | undefined, channel: Delivery["channel"] | null): string {
  if (reason?.reason !== "not_requested" || !channel) {
    return reason?.advice ?? "";
  }
  const how =
    channel === "WEBHOOK"
      ? 'leave "channels" out of the request. The admin API also takes "WEBHOOK" among them.'
      : `add "${channel}" to the "channels" of the request.`;
  return `Nothing needs to be done. If it is wanted, ${how}`;
}

/** Return whether what an attempt made arrived: a provider took it, or an endpoint answered. undefined: not known. */
export function hasArrived(event: Event, content: Content): boolean | undefined {
  const ended = event.timeline.findLast(
    (one) =>
      one.delivery_id === content.delivery_id &&
      one.attempt === content.attempt &&
      one.replay === content.replay &&
      ["sent", "retrying", "failed_over", "failed", "dead"].includes(one.step),
  );
  return ended && (ended.step === "sent" || (content.channel === "WEBHOOK" && Boolean(ended.http?.status)));
}

/** Return a size in bytes in the unit that reads best. */
export function size(bytes: number): string {
  return bytes < 1024 ? `${bytes} bytes` : `${(bytes / 1024).toFixed(bytes < 10_240 ? 1 : 0)} KiB`;
}
