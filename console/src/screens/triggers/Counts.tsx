import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { StatusBadge } from "~/kit/Badge";
import { ErrorNote } from "~/kit/ErrorNote";
import { Card } from "~/kit/Page";
import { type Column, Table } from "~/kit/Table";
import { channelName } from "~/shell/channels";
import { countsQuery, type WorkflowCount, workflowNamesQuery } from "./queries";

interface Step {
  key: string;
  workflowId: string;
  step: string;
  channel: string | null;
  counts: readonly WorkflowCount[];
}

/** What became of an event, by workflow and step; nothing for an event that starts no workflow. */
export function Counts({
  eventId,
  tenantId,
  changed,
}: {
  eventId: string;
  tenantId: string;
  changed: string;
}) {
  const { data, error } = useQuery({ ...countsQuery(eventId, changed), enabled: changed !== "" });
  const names = useQuery(workflowNamesQuery(tenantId)).data;
  const steps = stepsOf(data ?? []);
  if (error) {
    return (
      <Card title="By workflow and step">
        <ErrorNote error={error} />
      </Card>
    );
  }
  if (steps.length === 0) {
    return null;
  }
  const columns: readonly Column<Step>[] = [
    {
      header: "Workflow",
      cell: (row) => (
        <Link to="/workflows/$workflowId" params={{ workflowId: row.workflowId }}>
          <bdi>{names?.get(row.workflowId) ?? row.workflowId}</bdi>
        </Link>
      ),
    },
    { header: "Step", cell: (row) => <bdi>{row.step}</bdi> },
    { header: "Channel", cell: (row) => (row.channel ? channelName(row.channel) : "–") },
    {
      header: "Deliveries",
      cell: (row) =>
        row.counts.map((one) => (
          <span key={one.status}>
            <StatusBadge status={one.status} /> {one.count.toLocaleString()}{" "}
          </span>
        )),
    },
  ];
  return (
    <Card title="By workflow and step">
      <Table
        caption="Deliveries by workflow and step"
        columns={columns}
        rows={steps}
        rowKey={(row) => row.key}
      />
    </Card>
  );
}

function stepsOf(counts: readonly WorkflowCount[]): Step[] {
  const found = new Map<string, WorkflowCount[]>();
  for (const one of counts) {
    if (one.workflow_id !== null) {
      const key = `${one.workflow_id} ${one.step} ${one.channel}`;
      found.set(key, [...(found.get(key) ?? []), one]);
    }
  }
  return [...found].flatMap(([key, [first, ...others]]) =>
    first === undefined
      ? []
      : [
          {
            key,
            workflowId: first.workflow_id ?? "",
            step: first.step,
            channel: first.channel,
            counts: [first, ...others],
          },
        ],
  );
}
