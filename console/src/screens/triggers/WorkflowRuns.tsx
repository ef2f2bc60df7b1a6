import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { answer, api } from "~/api/client";
import { useRows } from "~/api/pages";
import { useReasons } from "~/api/reasons";
import { may, useSession } from "~/api/session";
import { Button } from "~/kit/Button";
import { Dialog } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { SelectField } from "~/kit/Field";
import { Loading } from "~/kit/Loading";
import { Card, countSet, Facts, Filters } from "~/kit/Page";
import { type Column, List, Table } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { notify, notifyError } from "~/kit/Toast";
import { word } from "~/shell/search";
import { useTenant } from "~/shell/tenants";
import { LIVE_MS, PAGE, type WorkflowRun, workflowRunQuery } from "./queries";
import { WORKFLOW_RUN_STATES } from "./routes";
import { heldBack, outcomeName, WorkflowRunBadge, workflowRunName } from "./words";

const routeApi = getRouteApi("/frame/triggers/$eventId");

interface Of {
  eventId: string;
  tenantId: string;
  isLive: boolean;
  /** The event waits for its time. */
  isEarly: boolean;
}

/** The workflow runs of an event: one for each person and workflow that waits for something, or did. */
export function WorkflowRuns({ eventId, tenantId, isLive, isEarly }: Of) {
  const search = routeApi.useSearch();
  const { state, run } = search;
  const navigate = useNavigate();
  const set = (changes: { state?: typeof state; run?: string | undefined }) =>
    void navigate({
      to: "/triggers/$eventId",
      params: { eventId },
      search: { ...search, ...changes },
      replace: true,
      resetScroll: false,
    });
  const list = useRows(
    ["workflow-runs", { tenantId, eventId, state }],
    (cursor, signal) =>
      answer(
        api.GET("/api/v1/admin/tenants/{id}/workflow-runs", {
          params: {
            path: { id: tenantId },
            query: { event_id: eventId, limit: PAGE, ...(state && { state }), ...(cursor && { cursor }) },
          },
          signal,
        }),
      ),
    isLive ? { everyMs: LIVE_MS } : {},
  );
  const columns: readonly Column<WorkflowRun>[] = [
    {
      header: "Recipient",
      cell: (row) =>
        row.recipient_id ? (
          <Link to="/recipients/$recipientId" params={{ recipientId: row.recipient_id }}>
            <bdi>{row.recipient_id}</bdi>
          </Link>
        ) : (
          "without an id"
        ),
    },
    {
      header: "Workflow",
      cell: (row) => (
        <>
          <Link to="/workflows/$workflowId" params={{ workflowId: row.workflow_id }}>
            <bdi>{row.workflow_name}</bdi>
          </Link>
          , version {row.workflow_version}
        </>
      ),
    },
    { header: "State", cell: (row) => <WorkflowRunBadge state={row.state} /> },
    { header: "At step", cell: (row) => <bdi>{row.at_steps.join(", ") || "–"}</bdi> },
    { header: "Continues", cell: (row) => (row.wake_at ? <Time at={row.wake_at} /> : "–"), isWhole: true },
    { header: "Started", cell: (row) => <Time at={row.created_at} />, isWhole: true },
    {
      header: "",
      cell: (row) => (
        <Button size="small" onClick={() => set({ run: row.id })}>
          Show steps
          <span className="unseen"> of {row.recipient_id ?? "a person without an id"}</span>
        </Button>
      ),
    },
  ];
  return (
    <Card title="Workflow runs">
      <Filters active={countSet(state)}>
        <SelectField
          label="State"
          value={state ?? ""}
          onChange={(event) => set({ state: word(event.target.value, WORKFLOW_RUN_STATES) })}
        >
          <option value="">Any</option>
          {WORKFLOW_RUN_STATES.map((one) => (
            <option key={one} value={one}>
              {workflowRunName(one)}
            </option>
          ))}
        </SelectField>
      </Filters>
      <List
        caption="Workflow runs of this event, newest first"
        columns={columns}
        rowKey={(row) => row.id}
        list={list}
        empty={
          <p>
            {state
              ? "None is in this state."
              : isEarly
                ? "None yet: the event waits for its time."
                : "None. Workflows that neither wait nor ask for anything are sent at once, without a run of their own."}
          </p>
        }
      />
      {run ? (
        <OneRun key={run} tenantId={tenantId} runId={run} onClose={() => set({ run: undefined })} />
      ) : null}
    </Card>
  );
}

function OneRun({ tenantId, runId, onClose }: { tenantId: string; runId: string; onClose: () => void }) {
  const queries = useQueryClient();
  const mayCancel = may(useSession(), "developer", useTenant());
  const reasonOf = useReasons();
  const { data, error } = useQuery(workflowRunQuery(tenantId, runId));
  const cancel = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/v1/admin/tenants/{id}/workflow-runs/{workflow_run_id}/cancel", {
          params: { path: { id: tenantId, workflow_run_id: runId } },
        }),
      ),
    onSuccess: () => {
      notify("The run ends. What was in hand may still be sent.");
      void queries.invalidateQueries({ queryKey: ["workflow-runs"] });
    },
    onError: notifyError,
  });
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title="One workflow run"
      text="What it did besides sending; what it sent is among the deliveries of the message."
      isWide
    >
      {error ? <ErrorNote error={error} /> : null}
      {data ? (
        <>
          <Facts
            facts={[
              [
                "Workflow",
                <bdi key="workflow">{`${data.workflow_name}, version ${data.workflow_version}`}</bdi>,
              ],
              ["Recipient", <bdi key="recipient">{data.recipient_id ?? "without an id"}</bdi>],
              ["State", <WorkflowRunBadge key="state" state={data.state} />],
              ["Held back", heldBack(data.held_back)],
              ["Continues", data.wake_at ? <Time key="wake" at={data.wake_at} /> : null],
            ]}
          />
          <Table
            caption="Steps, oldest first"
            columns={[
              { header: "Step", cell: (one) => <bdi>{one.step ?? "the run"}</bdi> },
              { header: "What happened", cell: (one) => outcomeName(one.outcome) },
              { header: "Until", cell: (one) => (one.until ? <Time at={one.until} /> : "–"), isWhole: true },
              {
                header: "Why",
                cell: (one) =>
                  [reasonOf(one.reason)?.text ?? one.reason, one.detail].filter(Boolean).join(" "),
              },
            ]}
            rows={data.steps.map((one, place) => ({ ...one, key: `${place}` }))}
            rowKey={(one) => one.key}
          />
        </>
      ) : error ? null : (
        <Loading />
      )}
      <div>
        {data && !data.finished_at && mayCancel ? (
          <Button look="danger" isBusy={cancel.isPending} onClick={() => cancel.mutate()}>
            Cancel this run
          </Button>
        ) : null}{" "}
        <Button onClick={onClose}>Close</Button>
      </div>
    </Dialog>
  );
}
