import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answer, api } from "~/api/client";
import { Button } from "~/kit/Button";
import { serverNow } from "~/kit/clock";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Card, Facts } from "~/kit/Page";
import { Time } from "~/kit/Time";
import { notify, notifyError } from "~/kit/Toast";
import {
  attemptsQuery,
  type Endpoint,
  type EndpointState,
  lastTroubleQuery,
  type Named,
  stateQuery,
} from "./queries";
import { type Condition, conditionOf, EndpointBadge, whyDisabled } from "./words";

interface StateCardProps {
  endpoint: Endpoint;
  path: Named;
  mayChange: boolean;
}

/** How an endpoint is doing: its circuit breaker, since when and why it fails, what waits. */
export function StateCard({ endpoint, path, mayChange }: StateCardProps) {
  const queries = useQueryClient();
  const state = useQuery(stateQuery(path));
  const isFailing = Boolean(state.data?.failing_since);
  const trouble = useQuery({ ...lastTroubleQuery(path), enabled: isFailing });
  const attempts = useQuery({
    ...attemptsQuery(path.id, trouble.data?.id ?? ""),
    enabled: isFailing && Boolean(trouble.data),
  });
  const answered = attempts.data?.at(-1)?.detail;
  const probe = useMutation({
    mutationFn: () =>
      answer(api.POST("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}/probe", { params: { path } })),
    onSuccess: () => {
      notify("A waiting message is sent now.");
      return queries.invalidateQueries({ queryKey: ["endpoints", endpoint.id] });
    },
    onError: notifyError,
  });
  // With nothing that waits, there is nothing to try; a test event would be the next one.
  const canProbe =
    mayChange && endpoint.active && state.data?.state === "open" && (state.data.parked ?? 0) > 0;
  const isTried = endpoint.active && endpoint.mode !== "polled";
  const actions = canProbe ? (
    <Button size="small" onClick={() => probe.mutate()} isBusy={probe.isPending}>
      Send a waiting message now
    </Button>
  ) : null;
  return (
    <Card title="State" actions={actions}>
      {state.error ? <ErrorNote error={state.error} onRetry={() => void state.refetch()} /> : null}
      {state.data ? (
        <>
          <p aria-live="polite">
            <EndpointBadge endpoint={endpoint} state={state.data} /> {sentence(endpoint, state.data)}
          </p>
          <Facts
            facts={[
              ["Disabled", endpoint.disabled_at ? <Time key="disabled" at={endpoint.disabled_at} /> : null],
              [
                "Failing since",
                isTried && isFailing ? <Time key="failing" at={state.data.failing_since} /> : null,
              ],
              ["Last failure", isTried && isFailing ? trouble.data?.reason_text : null],
              ["Its answer", isTried && isFailing && answered ? <code key="answer">{answered}</code> : null],
              ["Next try", isTried ? nextTry(state.data) : null],
              [
                "Waiting",
                `${state.data.parked.toLocaleString()} ${state.data.parked === 1 ? "message" : "messages"}`,
              ],
              ["Oldest", state.data.oldest_at ? <Time key="oldest" at={state.data.oldest_at} /> : null],
            ]}
          />
        </>
      ) : (
        <Loading />
      )}
    </Card>
  );
}

function sentence(endpoint: Endpoint, state: EndpointState): string {
  if (!endpoint.active) {
    return `${whyDisabled(endpoint)} Events that are accepted now are not sent to it.`;
  }
  if (endpoint.mode === "polled") {
    return "Its messages wait until the receiver reads them.";
  }
  return SENTENCES[conditionOf(state)];
}

const SENTENCES: Readonly<Record<Condition, string>> = {
  working: "Messages are sent.",
  failing: "The last attempt failed. Messages are still sent, and this one is tried again.",
  down: "Its attempts failed several times in a row. Messages wait for it, and one is tried from time to time.",
  untried:
    "Its attempts failed before. Nothing waits, and the next message is tried at once: send a test event to see whether it works now.",
  draining: "It takes messages again, and what waited is sent.",
};

/** Return when the next message is tried; null: nobody has to wait for that. */
function nextTry(state: EndpointState) {
  if (!state.next_probe_at || state.parked === 0) {
    return null;
  }
  return Date.parse(state.next_probe_at) > serverNow() ? <Time at={state.next_probe_at} /> : "at any moment";
}
