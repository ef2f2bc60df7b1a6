import { Badge, type Tone } from "~/kit/Badge";
import type { Endpoint, NamedState } from "./queries";

export const MODES: Readonly<Record<Endpoint["mode"], string>> = {
  push: "Push: each message at once",
  ordered: "In strict order: one after the other",
  polled: "Polled: the receiver reads them",
};

const DISABLED: Readonly<Record<string, string>> = {
  operator: "Somebody disabled it.",
  failing: "It was disabled after five days of nothing but failures.",
  gone: "It was disabled because it answered 410 (gone).",
};

const STATES: Readonly<Record<string, readonly [string, Tone]>> = {
  closed: ["Working", "good"],
  open: ["Down", "bad"],
  draining: ["Catching up", "wait"],
};

/** Return how an endpoint is called: its description, else its URL. */
export function nameOf(endpoint: Pick<Endpoint, "description" | "url" | "id">): string {
  return endpoint.description || endpoint.url || endpoint.id;
}

/** Return why an endpoint is disabled. */
export function whyDisabled(endpoint: Endpoint): string {
  return DISABLED[endpoint.disabled_reason ?? ""] ?? "It is disabled.";
}

/** Whether an endpoint is enabled, and how it is doing. */
export function EndpointBadge({
  endpoint,
  state,
}: {
  endpoint: Pick<Endpoint, "active" | "mode">;
  state: Pick<NamedState, "state"> | undefined;
}) {
  if (!endpoint.active) {
    return <Badge>Disabled</Badge>;
  }
  if (endpoint.mode === "polled") {
    return <Badge tone="calm">Polled</Badge>;
  }
  const [word, tone] = STATES[state?.state ?? ""] ?? ["…", "neutral"];
  return <Badge tone={tone}>{word}</Badge>;
}
