import { dropDraft, readDraft, writeDraft } from "~/kit/draft";
import type { Choice } from "./useSample";

/** Sample data that somebody wrote, as this browser keeps it. */
export interface KeptSample {
  content: { text: string };
  choice: Choice;
  /** Whether it was in use when the page was left. */
  isChosen: boolean;
}

/** Return under which key sample data is kept: one per tenant and event type. */
export function sampleKey(tenantId: string | null, eventType: string): string {
  return `clarion-sample:${JSON.stringify([tenantId, eventType])}`;
}

/** Return what is kept, or null. */
export function keptSample(key: string): KeptSample | null {
  const kept = readDraft<KeptSample>(key, { text: "" });
  return kept?.choice?.kind ? kept : null;
}

/** Keep the text of a sample. A browser without room keeps nothing, and the sample lasts as long as the page. */
export function keepSample(key: string, choice: Choice, text: string): void {
  const kept: KeptSample = { content: { text }, choice, isChosen: true };
  writeDraft(key, kept);
}

/** Remember that another sample is in use; what was written can still be chosen. */
export function leaveSample(key: string, choice: Choice): void {
  const kept = keptSample(key);
  if (kept?.choice.kind === "written") {
    writeDraft(key, { ...kept, isChosen: choice.kind === "written" });
  } else {
    dropDraft(key); // changes to a named sample that nobody wanted
  }
}

/** Forget it: it is stored. */
export function dropSample(key: string): void {
  dropDraft(key);
}
