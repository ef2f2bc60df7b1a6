import { Badge, type Tone } from "~/kit/Badge";
import { Time } from "~/kit/Time";
import type { ProviderState } from "./queries";

const WORDS: Readonly<Record<ProviderState["state"], readonly [string, Tone]>> = {
  closed: ["Working", "good"],
  open: ["Paused", "bad"],
  testing: ["Being tested", "wait"],
};

/** The state of a provider's circuit breaker. */
export function StateBadge({ state }: { state: ProviderState | undefined }) {
  const [word, tone] = !state
    ? (["…", "neutral"] as const)
    : isUnused(state)
      ? (["Not used yet", "neutral"] as const)
      : WORDS[state.state];
  return <Badge tone={tone}>{word}</Badge>;
}

/** Whether a provider was never called, so that nobody knows whether it works. */
function isUnused(state: ProviderState): boolean {
  return state.state === "closed" && state.last_call_at === null && state.last_hour.calls === 0;
}

/** Why a provider is not called, in one sentence, and when it is again. */
export function StateReason({ state }: { state: ProviderState }) {
  if (state.state === "closed") {
    return null;
  }
  return (
    <>
      {state.last_failure?.text ?? "It failed."}{" "}
      {state.state === "open" ? (
        <>
          Next try <Time at={state.next_try_at} />.
        </>
      ) : (
        "The next message tests it."
      )}
    </>
  );
}

/** What was sent through a provider within the last hour. */
export function lastHour(state: ProviderState): string {
  const { calls, failures, refusals } = state.last_hour;
  if (calls === 0) {
    return isUnused(state) ? "No message was sent with it" : "Not called in the last hour";
  }
  const parts = [`${calls.toLocaleString()} ${calls === 1 ? "call" : "calls"} in the last hour`];
  parts.push(failures > 0 ? `${failures.toLocaleString()} failed` : "none failed");
  if (refusals > 0) {
    parts.push(`${refusals.toLocaleString()} refused because of the message`);
  }
  return parts.join(", ");
}
