import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { answer, api, type Schemas } from "~/api/client";
import { Badge } from "~/kit/Badge";
import { Bytes } from "~/kit/Bytes";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Meter } from "~/kit/Meter";
import { Card } from "~/kit/Page";
import { type Column, Table } from "~/kit/Table";
import { duration } from "~/kit/Time";
import styles from "./Readiness.module.css";

type Limit = Schemas["Usage"]["limits"][number];
type Rate = Schemas["RateUsage"];

interface Line {
  key: string;
  name: string;
  used: number;
  bound: number;
  note: string;
  isBytes: boolean;
}

const NAMES: Readonly<Record<string, string>> = {
  unfinished_events: "Unfinished events",
  unfinished_bytes: "Size of unfinished events",
  scheduled_events: "Scheduled events",
  keys: "Further API keys",
  recipients: "Stored recipients",
  groups: "Groups",
  endpoints: "Endpoints",
  event_types: "Event types",
  applications: "Applications",
  subscriptions: "Subscriptions",
  workflows: "Workflows",
  segments: "Segments",
  schedules: "Schedules",
  providers: "Providers",
  parked_for_one_endpoint: "Messages that wait for one endpoint",
};
const WINDOWS: Readonly<Record<number, string>> = { 1: "second", 60: "minute", 3600: "hour", 86400: "day" };
const LOOK_MS = 15_000;

/** What a tenant uses of its limits now. */
export function Usage({ tenantId }: { tenantId: string }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["tenants", tenantId, "usage"],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/tenants/{id}/usage", { params: { path: { id: tenantId } }, signal })),
    refetchInterval: LOOK_MS,
  });
  return (
    <Card
      title="Limits and what is used of them"
      actions={
        <Link to="/tenants/$tenantId/settings" params={{ tenantId }}>
          Change the limits
        </Link>
      }
    >
      {error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : null}
      {data ? <Lines usage={data} /> : error ? null : <Loading />}
    </Card>
  );
}

const COLUMNS: readonly Column<Line>[] = [
  { header: "Limit", cell: (line) => line.name },
  { header: "Used", cell: (line) => <Meter label={line.name} used={line.used} bound={line.bound} /> },
  {
    header: "Now",
    cell: (line) => <Amount value={line.used} isBytes={line.isBytes} />,
    isNumber: true,
    isWhole: true,
  },
  {
    header: "At most",
    cell: (line) => <Amount value={line.bound} isBytes={line.isBytes} />,
    isNumber: true,
    isWhole: true,
  },
];
const FREE_AGAIN: Column<Line> = {
  header: "Free again",
  cell: (line) => line.note || "–",
  isWhole: true,
};

function Lines({ usage }: { usage: Schemas["Usage"] }) {
  const lines = [...usage.rates.map(rateLine), ...usage.limits.map(limitLine)];
  const used = lines.filter((line) => line.used > 0);
  const unused = lines.filter((line) => line.used === 0);
  const columns = used.some((line) => line.note) ? [...COLUMNS, FREE_AGAIN] : COLUMNS;
  return (
    <>
      {used.length > 0 ? (
        <Table caption="Limits in use" columns={columns} rows={used} rowKey={(line) => line.key} />
      ) : (
        <p>Nothing is used yet.</p>
      )}
      {unused.length > 0 ? (
        <details className={styles.fold}>
          <summary>Limits of which nothing is used ({unused.length})</summary>
          <Table
            caption="Limits of which nothing is used"
            columns={COLUMNS}
            rows={unused}
            rowKey={(line) => line.key}
          />
        </details>
      ) : null}
      {usage.parked ? (
        <p>
          {usage.parked === 1 ? "1 message waits" : `${usage.parked.toLocaleString()} messages wait`} for
          endpoints, all together.
        </p>
      ) : null}
      {usage.unanswered.length > 0 ? (
        <p>
          <Badge tone="wait">incomplete</Badge> These did not answer: {usage.unanswered.join(", ")}.
        </p>
      ) : null}
    </>
  );
}

function limitLine(limit: Limit): Line {
  return {
    key: limit.name,
    name: NAMES[limit.name] ?? limit.name,
    used: limit.used,
    bound: limit.bound,
    note: "",
    isBytes: limit.name === "unfinished_bytes",
  };
}

function rateLine(rate: Rate): Line {
  const whose = rate.key_id ? `, key ${rate.key_id}` : rate.scope ? `, scope ${rate.scope}` : "";
  const window = WINDOWS[rate.window_s] ?? duration(rate.window_s * 1000);
  return {
    key: `${rate.scope} ${rate.key_id} ${rate.window_s} ${rate.kind}`,
    name: `Events ${rate.kind === "fixed" ? "per" : "in any"} ${window}${whose}`,
    used: rate.used,
    bound: rate.bound,
    note: rate.reset_s > 0 ? `some in ${duration(rate.reset_s * 1000)}` : "",
    isBytes: false,
  };
}

function Amount({ value, isBytes }: { value: number; isBytes: boolean }) {
  return isBytes ? <Bytes count={value} /> : value.toLocaleString();
}
