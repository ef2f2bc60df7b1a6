import { createLazyRoute, Link, useNavigate } from "@tanstack/react-router";
import { answer, api } from "~/api/client";
import { useRows } from "~/api/pages";
import { may, useSession } from "~/api/session";
import { LinkButton } from "~/kit/Button";
import { SelectField } from "~/kit/Field";
import { countSet, EmptyState, Filters, Page } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { word } from "~/shell/search";
import { useTenant, useTenantId, useTenantName } from "~/shell/tenants";
import { LIVE_MS, PAGE, type Run } from "./queries";
import { STATES } from "./states";
import { heldBack, RunBadge, stateName } from "./words";

export const lazyRoute = createLazyRoute("/frame/triggers")({ component: TriggersScreen });

const ABOUT =
  "Events that start workflows, wait for their time, or go to many people, with their progress. Those that have ended stay for a week; every event is among the messages.";

function TriggersScreen() {
  const tenantId = useTenantId();
  const { state } = lazyRoute.useSearch();
  const navigate = useNavigate();
  const nameOf = useTenantName();
  const maySend = may(useSession(), "developer", useTenant());
  const list = useRows(
    ["runs", { tenantId, state }],
    (cursor, signal) =>
      answer(
        api.GET("/api/v1/admin/runs", {
          params: {
            query: {
              limit: PAGE,
              ...(tenantId && { tenant_id: tenantId }),
              ...(state && { state }),
              ...(cursor && { cursor }),
            },
          },
          signal,
        }),
      ),
    { everyMs: LIVE_MS },
  );
  const create =
    tenantId && maySend ? (
      <LinkButton to="/triggers/new" look="primary">
        Send an event
      </LinkButton>
    ) : null;
  return (
    <Page title="Triggers" text={ABOUT} actions={create}>
      <Filters active={countSet(state)}>
        <SelectField
          label="State"
          value={state ?? ""}
          onChange={(event) =>
            void navigate({ to: "/triggers", search: { state: word(event.target.value, STATES) } })
          }
        >
          <option value="">Any</option>
          {STATES.map((one) => (
            <option key={one} value={one}>
              {stateName(one)}
            </option>
          ))}
        </SelectField>
      </Filters>
      <List
        caption="Triggers, newest first"
        columns={columns(tenantId === undefined ? nameOf : null)}
        rowKey={(row) => row.event_id}
        list={list}
        empty={
          state ? (
            <EmptyState
              title="No trigger is in this state"
              text="Choose another one."
              action={
                <LinkButton to="/triggers" search={{}}>
                  Show all triggers
                </LinkButton>
              }
            />
          ) : (
            <EmptyState
              title="There is no trigger"
              text="An event appears here if it starts a workflow, is due later, or is for a group, tags, a segment or everybody. Others are sent at once, and are among the messages."
              action={create ?? <LinkButton to="/messages">Go to Messages</LinkButton>}
            />
          )
        }
      />
    </Page>
  );
}

function columns(nameOf: ((id: string) => string) | null): Column<Run>[] {
  const owner: Column<Run> = { header: "Tenant", cell: (row) => nameOf?.(row.tenant_id) };
  return [
    { header: "Accepted", cell: (row) => <Time at={row.created_at} />, isWhole: true },
    {
      header: "Event",
      cell: (row) => (
        <Link to="/triggers/$eventId" params={{ eventId: row.event_id }} search={{ tenant: row.tenant_id }}>
          <bdi>{row.event_type}</bdi>
        </Link>
      ),
    },
    ...(nameOf === null ? [] : [owner]),
    {
      header: "State",
      cell: (row) => (
        <>
          <RunBadge state={row.state} /> {heldBack(row.held_back)}
        </>
      ),
    },
    { header: "Due", cell: (row) => (row.due_at ? <Time at={row.due_at} /> : "–"), isWhole: true },
    { header: "People", cell: (row) => row.recipients.toLocaleString(), isNumber: true },
    { header: "Deliveries", cell: (row) => row.sends.toLocaleString(), isNumber: true },
    { header: "Skipped", cell: (row) => row.skips.toLocaleString(), isNumber: true },
    { header: "Open runs", cell: (row) => row.open_workflow_runs.toLocaleString(), isNumber: true },
  ];
}
