import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { Problem } from "~/api/problem";
import { may, useSession } from "~/api/session";
import { StatusBadge } from "~/kit/Badge";
import { Button, LinkButton } from "~/kit/Button";
import { Copyable } from "~/kit/Copy";
import { Confirm } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Progress } from "~/kit/Meter";
import { Card, EmptyState, Facts, Page } from "~/kit/Page";
import { ExactTime, Time } from "~/kit/Time";
import { notify, notifyError } from "~/kit/Toast";
import { tenantsQuery, useOwnTenant, useTenantName } from "~/shell/tenants";
import type { Event } from "../message/queries";
import { Counts } from "./Counts";
import { isOver, type Run, runQuery, triggerQuery } from "./queries";
import { WorkflowRuns } from "./WorkflowRuns";
import { heldBack, RunBadge } from "./words";

export const lazyRoute = createLazyRoute("/frame/triggers/$eventId")({ component: TriggerScreen });

// The ledger is about a second behind.
const PATIENCE_MS = 10_000;

type Action = "pause" | "resume";

function TriggerScreen() {
  const { eventId } = useParams({ from: "/frame/triggers/$eventId" });
  const [began] = useState(Date.now);
  const event = useQuery(triggerQuery(eventId));
  const run = useQuery({
    ...runQuery(eventId, Boolean(event.data?.finished_at)),
    enabled: Boolean(event.data),
  });
  const tenantId = event.data?.tenant_id;
  useOwnTenant(tenantId);
  if (event.data && tenantId) {
    return <Trigger eventId={eventId} tenantId={tenantId} event={event.data} run={run.data ?? null} />;
  }
  const { error } = event;
  const isMissing = event.data === null && event.dataUpdatedAt - began > PATIENCE_MS;
  if (isMissing || (error instanceof Problem && (error.status === 404 || error.status === 422))) {
    return (
      <Page title="Not found">
        <EmptyState
          title="There is no such trigger"
          text="The id may be mistyped, or its days are over. An event that was sent a moment ago appears within seconds."
          action={<LinkButton to="/triggers">Go to Triggers</LinkButton>}
        />
      </Page>
    );
  }
  return (
    <Page title="Trigger">
      {error ? <ErrorNote error={error} onRetry={() => void event.refetch()} /> : <Loading />}
    </Page>
  );
}

interface Of {
  eventId: string;
  tenantId: string;
  event: Event;
  /** null: it has none, or its days are over. */
  run: Run | null;
}

function Trigger({ eventId, tenantId, event, run }: Of) {
  const type = event.event_type;
  return (
    <Page
      title={type}
      heading={<bdi>{type}</bdi>}
      actions={
        <>
          <RunActions eventId={eventId} tenantId={tenantId} event={event} run={run} />
          <LinkButton to="/messages/$eventId" params={{ eventId }}>
            Open the message
          </LinkButton>
        </>
      }
    >
      <Head eventId={eventId} tenantId={tenantId} event={event} run={run} />
      <Counts eventId={eventId} tenantId={tenantId} changed={changedOf(event)} />
      <WorkflowRuns
        eventId={eventId}
        tenantId={tenantId}
        isLive={!event.finished_at}
        isEarly={run?.state === "waiting"}
      />
    </Page>
  );
}

/** Return what changes whenever the deliveries of an event do. */
function changedOf(event: Event): string {
  return JSON.stringify([event.counts, event.finished_at]);
}

function Head({ eventId, tenantId, event, run }: Of) {
  const tenantName = useTenantName();
  const counts = Object.entries(event.counts).filter(([, count]) => count > 0);
  const under = (event.counts.queued ?? 0) + (event.counts.retrying ?? 0);
  const total = event.delivery_count;
  return (
    <Card title="Progress">
      {total > 0 ? <Progress label="Deliveries that are through" done={total - under} total={total} /> : null}
      <Facts
        facts={[
          ["State", run ? <State key="state" run={run} /> : event.finished_at ? "finished" : null],
          [
            "Deliveries",
            counts.length > 0
              ? counts.map(([status, count]) => (
                  <span key={status}>
                    <StatusBadge status={status} /> {count.toLocaleString()}{" "}
                  </span>
                ))
              : "none yet",
          ],
          ["People", run ? run.recipients.toLocaleString() : null],
          ["Open workflow runs", run ? run.open_workflow_runs.toLocaleString() : null],
          ["Tenant", <bdi key="tenant">{tenantName(tenantId)}</bdi>],
          ["Accepted", <Time key="accepted" at={event.accepted_at} />],
          ["Due", run?.due_at ? <ExactTime key="due" at={run.due_at} /> : null],
          ["Finished", event.finished_at ? <Time key="finished" at={event.finished_at} /> : "not yet"],
          ["Event id", <Copyable key="id" text={eventId} what="the event id" />],
        ]}
      />
    </Card>
  );
}

function State({ run }: { run: Run }) {
  return (
    <>
      <RunBadge state={run.state} /> {heldBack(run.held_back)}
    </>
  );
}

function RunActions({ eventId, tenantId, event, run }: Of) {
  const queries = useQueryClient();
  const session = useSession();
  const tenant = useQuery(tenantsQuery).data?.find((one) => one.id === tenantId);
  const [asks, setAsks] = useState(false);
  const again = () => {
    void queries.invalidateQueries({ queryKey: ["runs"] });
    void queries.invalidateQueries({ queryKey: ["events", eventId] });
    void queries.invalidateQueries({ queryKey: ["workflow-runs"] });
  };
  const act = useMutation({
    mutationFn: (action: Action) => answer(change(action, eventId)),
    onSettled: again,
    onError: notifyError,
  });
  const cancel = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/v1/admin/tenants/{id}/events/{event_id}/cancel", {
          params: { path: { id: tenantId, event_id: eventId } },
        }),
      ),
    onSuccess: () => {
      setAsks(false);
      notify("Canceled. What was in hand may still be sent.");
      again();
    },
  });
  const isOpen = run ? !isOver(run) : !event.finished_at;
  if (!isOpen || !may(session, "developer", tenant)) {
    return null;
  }
  return (
    <>
      {run && (run.state === "waiting" || run.state === "expanding") ? (
        <Button isBusy={act.isPending} onClick={() => act.mutate("pause")}>
          Pause
        </Button>
      ) : null}
      {run?.state === "paused" ? (
        <Button isBusy={act.isPending} onClick={() => act.mutate("resume")}>
          Resume
        </Button>
      ) : null}
      <Button look="danger" onClick={() => setAsks(true)}>
        Cancel
      </Button>
      <Confirm
        isOpen={asks}
        onClose={() => setAsks(false)}
        title="Cancel this event?"
        text="Nothing more of it is sent, and its workflow runs end. What is in hand at this moment may still be sent. It cannot be undone."
        action="Cancel the event"
        onSubmit={() => cancel.mutate()}
        isBusy={cancel.isPending}
        error={cancel.error}
      />
    </>
  );
}

function change(action: Action, id: string) {
  const params = { params: { path: { id } } };
  return action === "pause"
    ? api.POST("/api/v1/admin/events/{id}/run/pause", params)
    : api.POST("/api/v1/admin/events/{id}/run/resume", params);
}
