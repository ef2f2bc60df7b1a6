import { useQuery } from "@tanstack/react-query";
import { createLazyRoute, Link, useNavigate } from "@tanstack/react-router";
import { useRows } from "~/api/pages";
import { may, useSession } from "~/api/session";
import { LinkButton } from "~/kit/Button";
import { SelectField } from "~/kit/Field";
import { EmptyState, Filters, Page } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenant, useTenantId } from "~/shell/tenants";
import styles from "./Endpoints.module.css";
import {
  applicationsQuery,
  type Endpoint,
  environmentsQuery,
  eventTypesQuery,
  type NamedState,
  PAGE,
  pageWithStates,
} from "./queries";
import { Sections } from "./Sections";
import { EndpointBadge, MODES, nameOf } from "./words";

export const lazyRoute = createLazyRoute("/frame/endpoints")({ component: EndpointsScreen });

const ABOUT = "Where the tenant's webhooks go.";

type Row = Endpoint & { state: NamedState | undefined };

const COLUMNS: readonly Column<Row>[] = [
  {
    header: "Endpoint",
    cell: (row) => (
      <>
        <Link to="/endpoints/$endpointId" params={{ endpointId: row.id }}>
          {nameOf(row)}
        </Link>
        {row.description && row.url ? <div className={styles.soft}>{row.url}</div> : null}
      </>
    ),
  },
  { header: "State", cell: (row) => <EndpointBadge endpoint={row} state={row.state} />, isWhole: true },
  {
    header: "Failing since",
    cell: (row) => (row.state?.failing_since ? <Time at={row.state.failing_since} /> : "–"),
    isWhole: true,
  },
  { header: "Waiting", cell: (row) => (row.state?.parked ?? 0).toLocaleString(), isNumber: true },
  { header: "Mode", cell: (row) => MODES[row.mode].split(":")[0] },
  { header: "Created", cell: (row) => <Time at={row.created_at} />, isWhole: true },
];

function EndpointsScreen() {
  const tenantId = useTenantId();
  const mayChange = may(useSession(), "developer", useTenant());
  const create =
    tenantId && mayChange ? (
      <LinkButton to="/endpoints/new" look="primary">
        Create an endpoint
      </LinkButton>
    ) : null;
  return (
    <Page title="Endpoints" text={ABOUT} actions={create}>
      {tenantId ? (
        <>
          <Sections />
          <Endpoints key={tenantId} tenantId={tenantId} create={create} />
        </>
      ) : (
        <TenantNeeded what="endpoints" />
      )}
    </Page>
  );
}

function Endpoints({ tenantId, create }: { tenantId: string; create: React.ReactNode }) {
  const { environment, application, event_type } = lazyRoute.useSearch();
  const list = useRows(["endpoints", { tenantId, environment, application, event_type }], (cursor, signal) =>
    pageWithStates(
      tenantId,
      {
        limit: PAGE,
        ...(cursor && { cursor }),
        ...(environment && { environment_id: environment }),
        ...(application && { application_id: application }),
        ...(event_type && { event_type_id: event_type }),
      },
      signal,
    ),
  );
  const isFiltered = Boolean(environment || application || event_type);
  const empty = isFiltered ? (
    <EmptyState
      title="No endpoint matches"
      text="Choose other filters."
      action={
        <LinkButton to="/endpoints" search={{}}>
          Show all endpoints
        </LinkButton>
      }
    />
  ) : (
    <EmptyState
      title="This tenant has no endpoint yet"
      text="An endpoint is a URL that gets the tenant's events as signed webhooks, or a queue that a receiver reads. Create one, subscribe it to event types, and send it a test event."
      action={create}
    />
  );
  return (
    <>
      <EndpointFilters tenantId={tenantId} />
      <List caption="Endpoints" columns={COLUMNS} rowKey={(row) => row.id} list={list} empty={empty} />
    </>
  );
}

function EndpointFilters({ tenantId }: { tenantId: string }) {
  const search = lazyRoute.useSearch();
  const navigate = useNavigate();
  const environments = useQuery(environmentsQuery(tenantId)).data ?? [];
  const applications = useQuery(applicationsQuery(tenantId)).data ?? [];
  const types = useQuery(eventTypesQuery(tenantId)).data ?? [];
  const choose = (name: "environment" | "application" | "event_type", value: string) =>
    void navigate({ to: "/endpoints", search: { ...search, [name]: value || undefined } });
  if (environments.length < 2 && applications.length === 0 && types.length === 0) {
    return null;
  }
  return (
    <Filters>
      <Choice
        label="Environment"
        all="All environments"
        value={search.environment}
        choices={environments}
        onChange={(value) => choose("environment", value)}
      />
      <Choice
        label="Application"
        all="All applications"
        value={search.application}
        choices={applications}
        onChange={(value) => choose("application", value)}
      />
      <Choice
        label="Subscribes to"
        all="Any event type"
        value={search.event_type}
        choices={types}
        onChange={(value) => choose("event_type", value)}
      />
    </Filters>
  );
}

interface ChoiceProps {
  label: string;
  all: string;
  value: string | undefined;
  choices: readonly { id: string; name: string }[];
  onChange: (value: string) => void;
}

function Choice({ label, all, value, choices, onChange }: ChoiceProps) {
  return (
    <SelectField label={label} value={value ?? ""} onChange={(event) => onChange(event.target.value)}>
      <option value="">{all}</option>
      {value && !choices.some((one) => one.id === value) ? <option value={value}>{value}</option> : null}
      {choices.map((one) => (
        <option key={one.id} value={one.id}>
          {one.name}
        </option>
      ))}
    </SelectField>
  );
}
