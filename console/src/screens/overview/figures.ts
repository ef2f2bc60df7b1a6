import type { Schemas } from "~/api/client";

export type Overview = Schemas["Overview"];
export type Step = Overview["steps"][number];

/** What became of deliveries, as a chart shows it. */
export const OUTCOMES = [
  { key: "sent", label: "Sent or delivered", color: "good", statuses: ["sent", "delivered"] },
  { key: "failed", label: "Failed", color: "bad", statuses: ["failed", "dead", "bounced", "complained"] },
  { key: "skipped", label: "Skipped", color: "ink-soft", statuses: ["skipped"] },
  { key: "open", label: "Under way", color: "calm", statuses: ["queued", "retrying"] },
] as const;

export type Outcome = (typeof OUTCOMES)[number];

/** Return how many deliveries of a step, on this channel or on all, have one of an outcome's statuses. */
export function countOf(step: Step, outcome: Outcome, channel: string | undefined): number {
  let count = 0;
  for (const one of step.counts) {
    if (
      (channel === undefined || one.channel === channel) &&
      (outcome.statuses as readonly string[]).includes(one.status)
    ) {
      count += one.count;
    }
  }
  return count;
}

/** Return the same over all steps. */
export function totalOf(overview: Overview, outcome: Outcome, channel: string | undefined): number {
  return overview.steps.reduce((sum, step) => sum + countOf(step, outcome, channel), 0);
}

/** Return whether nothing was accepted in the time. */
export function isEmpty(overview: Overview): boolean {
  return overview.steps.every((step) => step.events === 0 && step.counts.length === 0);
}
