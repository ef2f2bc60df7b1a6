import { Badge, type Tone } from "~/kit/Badge";

const RUNS: Readonly<Record<string, { tone: Tone; text: string }>> = {
  waiting: { tone: "wait", text: "waits for its time" },
  expanding: { tone: "calm", text: "reads recipients" },
  paused: { tone: "wait", text: "paused" },
  running: { tone: "calm", text: "workflows run" },
  done: { tone: "good", text: "done" },
  canceled: { tone: "neutral", text: "canceled" },
  failed: { tone: "bad", text: "failed" },
};

const HELD_BACK: Readonly<Record<string, string>> = {
  backlog: "waits until more of its deliveries are through",
  streams: "waits until the streams have room",
  unavailable: "waits for a part of Clarion",
  internal_error: "is tried again after an error in Clarion",
  tenant_inactive: "waits until the tenant is active",
};

const WORKFLOW_RUNS: Readonly<Record<string, { tone: Tone; text: string }>> = {
  active: { tone: "calm", text: "running" },
  waiting: { tone: "wait", text: "waiting" },
  done: { tone: "good", text: "done" },
  canceled: { tone: "neutral", text: "canceled" },
  failed: { tone: "bad", text: "failed" },
};

const OUTCOMES: Readonly<Record<string, string>> = {
  started: "Started",
  waiting: "Waits",
  went_on: "The wait is over",
  condition_met: "The condition is met",
  condition_not_met: "The condition is not met",
  passed_over: "Passed over: its own rule does not want it",
  stopped: "Stopped the run",
  ended: "Ended",
  failed: "Failed",
};

/** Return what the state of an event's run is called. */
export function stateName(state: string): string {
  return RUNS[state]?.text ?? state;
}

/** Return what the state of a workflow run is called. */
export function workflowRunName(state: string): string {
  return WORKFLOW_RUNS[state]?.text ?? state;
}

/** Return why a run is held back, in words. */
export function heldBack(word: string | null): string {
  return word ? (HELD_BACK[word] ?? word) : "";
}

/** Return what a step of a workflow run did, in words. */
export function outcomeName(outcome: string): string {
  return OUTCOMES[outcome] ?? outcome;
}

/** The state of an event's run. */
export function RunBadge({ state }: { state: string }) {
  return <Badge tone={RUNS[state]?.tone ?? "neutral"}>{stateName(state)}</Badge>;
}

/** The state of a workflow run. */
export function WorkflowRunBadge({ state }: { state: string }) {
  return <Badge tone={WORKFLOW_RUNS[state]?.tone ?? "neutral"}>{workflowRunName(state)}</Badge>;
}
