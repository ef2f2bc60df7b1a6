import { createLazyRoute, Link } from "@tanstack/react-router";
import { answer, api } from "~/api/client";
import { useRows } from "~/api/pages";
import { may, useSession } from "~/api/session";
import { LinkButton } from "~/kit/Button";
import { EmptyState, Page } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenant, useTenantId } from "~/shell/tenants";
import { EVERY_MS, PAGE, type Schedule } from "./queries";
import { ScheduleBadge, zoneName } from "./words";

export const lazyRoute = createLazyRoute("/frame/schedules")({ component: SchedulesScreen });

const ABOUT =
  "Events that are sent again and again. An event that is sent once, at a later time, is among the triggers.";

const COLUMNS: readonly Column<Schedule>[] = [
  {
    header: "Schedule",
    cell: (row) => (
      <Link to="/schedules/$scheduleId" params={{ scheduleId: row.id }}>
        <bdi>{row.name}</bdi>
      </Link>
    ),
  },
  { header: "Event", cell: (row) => <bdi>{row.event.event_type}</bdi> },
  {
    header: "When",
    cell: (row) => (
      <>
        {row.in_words || row.cron}, {zoneName(row.timezone)}
      </>
    ),
  },
  { header: "State", cell: (row) => <ScheduleBadge schedule={row} />, isWhole: true },
  { header: "Next", cell: (row) => <Time at={row.next_at} />, isWhole: true },
  {
    header: "Last",
    cell: (row) =>
      row.last_event_id ? (
        <Link to="/messages/$eventId" params={{ eventId: row.last_event_id }}>
          <Time at={row.last_at} />
        </Link>
      ) : (
        <Time at={row.last_at} />
      ),
    isWhole: true,
  },
];

function SchedulesScreen() {
  const tenantId = useTenantId();
  const mayChange = may(useSession(), "developer", useTenant());
  const create =
    tenantId && mayChange ? (
      <LinkButton to="/schedules/new" look="primary">
        Create a schedule
      </LinkButton>
    ) : null;
  return (
    <Page title="Schedules" text={ABOUT} actions={create}>
      {tenantId ? (
        <Schedules key={tenantId} tenantId={tenantId} create={create} />
      ) : (
        <TenantNeeded what="schedules" />
      )}
    </Page>
  );
}

function Schedules({ tenantId, create }: { tenantId: string; create: React.ReactNode }) {
  const list = useRows(
    ["schedules", tenantId],
    (cursor, signal) =>
      answer(
        api.GET("/api/v1/admin/tenants/{id}/schedules", {
          params: { path: { id: tenantId }, query: { limit: PAGE, ...(cursor && { cursor }) } },
          signal,
        }),
      ),
    { everyMs: EVERY_MS },
  );
  return (
    <List
      caption="Schedules, newest first"
      columns={COLUMNS}
      rowKey={(row) => row.id}
      list={list}
      empty={
        <EmptyState
          title="This tenant has no schedule yet"
          text="A schedule sends an event at fixed times, such as every Monday at nine in Nairobi: a report, a reminder, the start of a workflow."
          action={create ?? <LinkButton to="/triggers">See the triggers</LinkButton>}
        />
      }
    />
  );
}
