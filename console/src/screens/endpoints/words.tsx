import { Badge, type Tone } from "~/kit/Badge";
import { serverNow } from "~/kit/clock";
import type { Endpoint, EndpointState, NamedState } from "./queries";

export const MODES: Readonly<Record<Endpoint["mode"], string>> = {
  push: "Push: each message at once",
  ordered: "In strict order: one after the other",
  polled: "Polled: the receiver reads them",
};

const DISABLED: Readonly<Record<string, string>> = {
  operator: "A person or a program disabled it.",
  failing: "It was disabled after five days of nothing but failures.",
  gone: "It was disabled because it answered 410 (gone).",
};

/** Return how an endpoint is called: its description, else its URL. */
export function nameOf(endpoint: Pick<Endpoint, "description" | "url" | "id">): string {
  return endpoint.description || endpoint.url || endpoint.id;
}

/** Return why an endpoint is disabled. */
export function whyDisabled(endpoint: Endpoint): string {
  return DISABLED[endpoint.disabled_reason ?? ""] ?? "It is disabled.";
}

/** How an endpoint is doing, in one word. */
export type Condition = "working" | "failing" | "down" | "untried" | "draining";

const CONDITIONS: Readonly<Record<Condition, readonly [string, Tone]>> = {
  working: ["Working", "good"],
  failing: ["Failing", "wait"],
  down: ["Down", "bad"],
  untried: ["To be tried", "wait"],
  draining: ["Catching up", "wait"],
};

/** Return how an endpoint is doing. untried: it was down, and its next message is tried at once. */
export function conditionOf(
  state: Pick<EndpointState, "state" | "failing_since" | "next_probe_at" | "parked">,
): Condition {
  if (state.state === "draining") {
    return "draining";
  }
  if (state.state === "open") {
    const isDue = !state.next_probe_at || Date.parse(state.next_probe_at) <= serverNow();
    return isDue && state.parked === 0 ? "untried" : "down";
  }
  return state.failing_since ? "failing" : "working";
}

/** Whether an endpoint is enabled, and how it is doing. */
export function EndpointBadge({
  endpoint,
  state,
}: {
  endpoint: Pick<Endpoint, "active" | "mode">;
  state: Pick<NamedState, "state" | "failing_since" | "next_probe_at" | "parked"> | undefined;
}) {
  if (!endpoint.active) {
    return <Badge>Disabled</Badge>;
  }
  if (endpoint.mode === "polled") {
    return <Badge tone="calm">Polled</Badge>;
  }
  const [word, tone] = state ? CONDITIONS[conditionOf(state)] : (["…", "neutral"] as const);
  return <Badge tone={tone}>{word}</Badge>;
}
