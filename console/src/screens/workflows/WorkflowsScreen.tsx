import { useQuery } from "@tanstack/react-query";
import { createLazyRoute, Link, useNavigate } from "@tanstack/react-router";
import { answer, api } from "~/api/client";
import { useRows } from "~/api/pages";
import { may, useSession } from "~/api/session";
import { Badge } from "~/kit/Badge";
import { LinkButton } from "~/kit/Button";
import { SelectField } from "~/kit/Field";
import { FilterText } from "~/kit/FilterText";
import { countSet, EmptyState, Filters, Page } from "~/kit/Page";
import { List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { word } from "~/shell/search";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenant, useTenantId } from "~/shell/tenants";
import { eventTypesQuery, type WorkflowSummary } from "./data";
import { STATES, type WorkflowsSearch } from "./routes";

export const lazyRoute = createLazyRoute("/frame/workflows")({ component: WorkflowsScreen });

function WorkflowsScreen() {
  const tenantId = useTenantId();
  const tenant = useTenant();
  const mayChange = may(useSession(), "developer", tenant);
  return (
    <Page
      title="Workflows"
      text="What an event starts for each person: messages in an order, with waiting times and conditions."
      actions={
        tenantId && mayChange ? (
          <LinkButton to="/workflows/new" look="primary">
            New workflow
          </LinkButton>
        ) : null
      }
    >
      {tenantId ? (
        <Workflows key={tenantId} tenantId={tenantId} mayChange={mayChange} />
      ) : (
        <TenantNeeded what="workflows" />
      )}
    </Page>
  );
}

function Workflows({ tenantId, mayChange }: { tenantId: string; mayChange: boolean }) {
  const search = lazyRoute.useSearch();
  const { q, event_type, state } = search;
  const navigate = useNavigate();
  const types = useQuery(eventTypesQuery(tenantId)).data ?? [];
  const filter = (change: WorkflowsSearch) =>
    void navigate({ to: "/workflows", search: { ...search, ...change }, replace: true });
  const list = useRows(["workflows", tenantId, "list", q, event_type, state], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/tenants/{id}/workflows", {
        params: {
          path: { id: tenantId },
          query: {
            ...(q && { search: q }),
            ...(event_type && { event_type }),
            ...(state && { active: state === "active" ? ("true" as const) : ("false" as const) }),
            ...(cursor && { cursor }),
          },
        },
        signal,
      }),
    ),
  );
  return (
    <>
      <Filters active={countSet(q, event_type, state)}>
        <FilterText label="Name" value={q} placeholder="A part of it" onFilter={(q) => filter({ q })} />
        <FilterText
          label="Event type"
          value={event_type}
          options={types}
          onFilter={(event_type) => filter({ event_type })}
        />
        <SelectField
          label="State"
          value={state ?? ""}
          onChange={(event) => filter({ state: word(event.target.value, STATES) })}
        >
          <option value="">Any</option>
          <option value="active">Active</option>
          <option value="inactive">Not active</option>
        </SelectField>
      </Filters>
      <List
        caption="Workflows"
        list={list}
        rowKey={(row: WorkflowSummary) => row.id}
        empty={<None isFiltered={countSet(q, event_type, state) > 0} mayChange={mayChange} />}
        columns={[
          {
            header: "Name",
            cell: (row) => (
              <Link to="/workflows/$workflowId" params={{ workflowId: row.id }}>
                <bdi>{row.name}</bdi>
              </Link>
            ),
          },
          { header: "Started by", cell: (row) => <bdi>{row.event_type}</bdi> },
          {
            header: "State",
            cell: (row) => (row.active ? <Badge tone="good">active</Badge> : <Badge>not active</Badge>),
            isWhole: true,
          },
          { header: "Version", cell: (row) => row.version, isNumber: true },
          { header: "Under way", cell: (row) => row.open_runs.toLocaleString(), isNumber: true },
          { header: "Last started", cell: (row) => <Time at={row.last_started_at} />, isWhole: true },
          { header: "Changed", cell: (row) => <Time at={row.updated_at} />, isWhole: true },
        ]}
      />
    </>
  );
}

function None({ isFiltered, mayChange }: { isFiltered: boolean; mayChange: boolean }) {
  if (isFiltered) {
    return (
      <EmptyState
        title="No workflow matches"
        text="Change the filters, or remove them."
        action={<LinkButton to="/workflows">Remove the filters</LinkButton>}
      />
    );
  }
  return (
    <EmptyState
      title="No workflows yet"
      text="Without a workflow, an event sends its active templates at once. A workflow sends several messages in an order, waits between them, and decides who gets which."
      action={
        mayChange ? (
          <LinkButton to="/workflows/new" look="primary">
            Make the first workflow
          </LinkButton>
        ) : (
          <LinkButton to="/templates">See the templates</LinkButton>
        )
      }
    />
  );
}
