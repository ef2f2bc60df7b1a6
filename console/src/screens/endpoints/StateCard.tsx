import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answer, api } from "~/api/client";
import { Button } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Card, Facts } from "~/kit/Page";
import { Time } from "~/kit/Time";
import { notify, notifyError } from "~/kit/Toast";
import { type Endpoint, type EndpointState, lastTroubleQuery, type Named, stateQuery } from "./queries";
import { EndpointBadge, whyDisabled } from "./words";

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
  const probe = useMutation({
    mutationFn: () =>
      answer(api.POST("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}/probe", { params: { path } })),
    onSuccess: () => {
      notify("A waiting message is sent now.");
      return queries.invalidateQueries({ queryKey: ["endpoints", endpoint.id] });
    },
    onError: notifyError,
  });
  const canProbe = mayChange && endpoint.active && state.data?.state === "open";
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
                "Since",
                state.data.state !== "closed" && state.data.since ? (
                  <Time key="since" at={state.data.since} />
                ) : null,
              ],
              ["Failing since", isFailing ? <Time key="failing" at={state.data.failing_since} /> : null],
              ["Why", isFailing ? trouble.data?.reason_text : null],
              [
                "Next try",
                state.data.next_probe_at ? <Time key="next" at={state.data.next_probe_at} /> : null,
              ],
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
  if (state.state === "open") {
    return "It does not answer. Messages wait for it, and one is tried from time to time.";
  }
  if (state.state === "draining") {
    return "It answers again, and what waited is sent.";
  }
  return state.failing_since ? "The last attempt failed." : "Messages are sent.";
}
