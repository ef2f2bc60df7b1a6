import { Link } from "@tanstack/react-router";
import { answer, api, type Schemas } from "~/api/client";
import { useRows } from "~/api/pages";
import { Card } from "~/kit/Page";
import { List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { WorkflowRunBadge } from "~/screens/triggers/words";
import type { Named } from "./data";

const EVERY_MS = 5_000;

/** The newest runs of a workflow, each leading to the trigger that started it. */
export function Runs({ path }: { path: Named }) {
  const list = useRows(
    ["workflow-runs", { tenantId: path.id, workflowId: path.workflow_id }],
    (cursor, signal) =>
      answer(
        api.GET("/api/v1/admin/tenants/{id}/workflow-runs", {
          params: {
            path: { id: path.id },
            query: { workflow_id: path.workflow_id, limit: 10, ...(cursor && { cursor }) },
          },
          signal,
        }),
      ),
    { everyMs: EVERY_MS },
  );
  return (
    <Card title="Runs">
      <List
        caption="Runs of this workflow, newest first"
        list={list}
        rowKey={(row: Schemas["WorkflowRun"]) => row.id}
        empty={
          <p>
            None. A workflow that neither waits nor asks for anything is sent at once, without a run of its
            own.
          </p>
        }
        columns={[
          {
            header: "Recipient",
            cell: (row) => (
              <Link to="/triggers/$eventId" params={{ eventId: row.event_id }} search={{ run: row.id }}>
                <bdi>{row.recipient_id ?? "without an id"}</bdi>
              </Link>
            ),
          },
          { header: "State", cell: (row) => <WorkflowRunBadge state={row.state} />, isWhole: true },
          { header: "Version", cell: (row) => row.workflow_version, isNumber: true },
          {
            header: "Continues",
            cell: (row) => (row.wake_at ? <Time at={row.wake_at} /> : "–"),
            isWhole: true,
          },
          { header: "Started", cell: (row) => <Time at={row.created_at} />, isWhole: true },
        ]}
      />
    </Card>
  );
}
