import { createLazyRoute, Link } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { useRows } from "~/api/pages";
import { Badge } from "~/kit/Badge";
import { Button } from "~/kit/Button";
import { SelectField, TextField } from "~/kit/Field";
import { EmptyState, Filters, Page } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { useTenantId, useTenantName } from "~/shell/tenants";
import { type AuditFilters, METHODS } from "./filters";

export const lazyRoute = createLazyRoute("/frame/settings/audit")({ component: AuditScreen });

type Entry = Schemas["AuditEntry"];

function AuditScreen() {
  return (
    <Page
      title="Audit log"
      text="Who changed what, by the console, the admin API, the portal and the APIs of tenants. Sign-ins are in it, too."
    >
      <AuditFilter />
      <Entries />
    </Page>
  );
}

function AuditFilter() {
  const filters = lazyRoute.useSearch();
  const navigate = lazyRoute.useNavigate();
  const [actor, setActor] = useState(filters.actor ?? "");
  const [resource, setResource] = useState(filters.resource ?? "");
  const change = (changed: AuditFilters) =>
    void navigate({ search: (all) => ({ ...all, ...changed }), replace: true });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change({ actor: actor.trim() || undefined, resource: resource.trim() || undefined });
  };
  return (
    <form onSubmit={submit}>
      <Filters>
        <TextField
          label="Who"
          help="An e-mail address, or the name of an admin token."
          value={actor}
          onChange={(event) => setActor(event.target.value)}
        />
        <TextField
          label="Id of what was changed"
          value={resource}
          onChange={(event) => setResource(event.target.value)}
        />
        <SelectField
          label="What was done"
          value={filters.method ?? ""}
          onChange={(event) => change({ method: METHODS.find((one) => one === event.target.value) })}
        >
          <option value="">anything</option>
          <option value="POST">created, or an action</option>
          <option value="PUT">replaced</option>
          <option value="PATCH">changed</option>
          <option value="DELETE">deleted</option>
        </SelectField>
        <TextField
          label="From"
          type="date"
          value={filters.since ?? ""}
          onChange={(event) => change({ since: event.target.value || undefined })}
        />
        <TextField
          label="Before"
          type="date"
          value={filters.until ?? ""}
          onChange={(event) => change({ until: event.target.value || undefined })}
        />
        <div>
          <Button type="submit">Search</Button>
        </div>
      </Filters>
    </form>
  );
}

function Entries() {
  const { actor, resource, method, since, until } = lazyRoute.useSearch();
  const tenantId = useTenantId();
  const tenantName = useTenantName();
  const filters = {
    ...(actor && { actor }),
    ...(resource && { resource }),
    ...(method && { method }),
    ...(since && { since }),
    ...(until && { until }),
    ...(tenantId && { tenant_id: tenantId }),
  };
  const list = useRows<Entry>(["audit", filters], (cursor, signal) => {
    const query = { limit: 50, ...filters, ...(cursor && { cursor }) };
    return answer(api.GET("/api/v1/admin/audit", { params: { query }, signal }));
  });
  const columns: readonly Column<Entry>[] = [
    { header: "When", cell: (one) => <Time at={one.begun_at} />, isWhole: true },
    { header: "Who", cell: (one) => <Actor of={one} /> },
    { header: "What", cell: (one) => <Call of={one} /> },
    { header: "Id", cell: (one) => (one.resource ? <code>{one.resource}</code> : "–") },
    { header: "Tenant", cell: (one) => (one.tenant_id ? tenantName(one.tenant_id) : "–") },
    { header: "Fields", cell: (one) => one.fields.join(", ") || "–" },
    { header: "Result", cell: (one) => <Outcome status={one.status} /> },
  ];
  return (
    <List
      caption="Changes, newest first"
      columns={columns}
      rowKey={(one) => one.id}
      list={list}
      empty={
        <EmptyState
          title="Nothing was changed"
          text="No change matches these filters. Entries are kept for 400 days, unless the installation says otherwise."
        />
      }
    />
  );
}

function Actor({ of: entry }: { of: Entry }) {
  return (
    <Link to="/settings/audit" search={(all) => ({ ...all, actor: entry.actor_email ?? entry.actor })}>
      {entry.actor_email ?? entry.actor}
    </Link>
  );
}

function Call({ of: entry }: { of: Entry }) {
  return (
    <code>
      {entry.method} {entry.route.replace("/api/v1/admin", "")}
    </code>
  );
}

function Outcome({ status }: { status: number | null }) {
  if (status === null) {
    return <Badge tone="wait">not known</Badge>;
  }
  return (
    <Badge tone={status < 400 ? "good" : "bad"}>
      {status < 400 ? `done (${status})` : `refused (${status})`}
    </Badge>
  );
}
