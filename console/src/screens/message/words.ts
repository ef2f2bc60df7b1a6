import type { Delivery, Event, Step } from "./queries";

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

/** Return a size in bytes in the unit that reads best. */
export function size(bytes: number): string {
  return bytes < 1024 ? `${bytes} bytes` : `${(bytes / 1024).toFixed(bytes < 10_240 ? 1 : 0)} KiB`;
}
