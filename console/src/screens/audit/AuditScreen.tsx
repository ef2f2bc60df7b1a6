import { createLazyRoute, Link } from "@tanstack/react-router";
import { answer, api, type Schemas } from "~/api/client";
import { useRows } from "~/api/pages";
import { Badge } from "~/kit/Badge";
import { LinkButton } from "~/kit/Button";
import { SelectField } from "~/kit/Field";
import { FilterText } from "~/kit/FilterText";
import { FilterTime } from "~/kit/FilterTime";
import { EmptyState, Facts, Filters, Page } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { ConsoleLink } from "~/shell/ConsoleLink";
import { useTenantId } from "~/shell/tenants";
import styles from "./Audit.module.css";
import { type AuditFilters, KINDS, METHODS } from "./filters";

export const lazyRoute = createLazyRoute("/frame/settings/audit")({ component: AuditScreen });

type Entry = Schemas["AuditEntry"];

function AuditScreen() {
  const filters = lazyRoute.useSearch();
  const tenantId = useTenantId();
  const { kind, ...others } = filters;
  const query = {
    ...Object.fromEntries(Object.entries(others).filter(([name, value]) => value && name !== "tenant")),
    ...(kind && { kind }),
    ...(tenantId && { tenant_id: tenantId }),
  };
  const list = useRows<Entry>(["audit", query], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/audit", {
        params: { query: { limit: 50, ...query, ...(cursor && { cursor }) } },
        signal,
      }),
    ),
  );
  return (
    <Page
      title="Audit log"
      text="Who changed what, with the console, the admin API, the portal or an API of tenants. It also has who signed in."
    >
      <AuditFilter filters={filters} people={peopleOf(list.rows)} />
      <List
        caption="Changes, newest first"
        columns={COLUMNS}
        rowKey={(one) => one.id}
        list={list}
        empty={
          <EmptyState
            title="No change matches"
            text="Entries are kept for 400 days, unless the installation says otherwise. Take away a filter, or look at all tenants."
            action={
              <LinkButton to="/settings/audit" search={{ tenant: undefined }}>
                Show all changes
              </LinkButton>
            }
          />
        }
      />
    </Page>
  );
}

const COLUMNS: readonly Column<Entry>[] = [
  { header: "When", cell: (one) => <Time at={one.begun_at} />, isWhole: true },
  { header: "What happened", cell: (one) => <Told entry={one} /> },
];

function Told({ entry }: { entry: Entry }) {
  return (
    <>
      <p>
        {entry.sentence.map((part, place) =>
          part.link ? (
            // The parts of a sentence have no other name than their place.
            // biome-ignore lint/suspicious/noArrayIndexKey: they never change their order
            <ConsoleLink key={place} path={part.link}>
              {part.text}
            </ConsoleLink>
          ) : (
            part.text
          ),
        )}{" "}
        <Outcome status={entry.status} />
      </p>
      <details className={styles.fold}>
        <summary>Details</summary>
        <Facts
          facts={[
            [
              "Call",
              <code key="call">
                {entry.method} {entry.route}
              </code>,
            ],
            ["Status", entry.status ?? "not known: the gateway ended before it could record it"],
            ["Id", entry.resource ? <code key="id">{entry.resource}</code> : null],
            ["Fields", entry.fields.join(", ")],
            ["Trace id", <code key="trace">{entry.trace_id}</code>],
            [
              "More",
              <span key="more" className={styles.more}>
                <Link to="/settings/audit" search={{ actor: entry.actor_email ?? entry.actor }}>
                  Everything by this {entry.actor.startsWith("user:") ? "person" : "program"}
                </Link>
                {entry.resource ? (
                  <Link to="/settings/audit" search={{ resource: entry.resource }}>
                    Everything about this id
                  </Link>
                ) : null}
              </span>,
            ],
          ]}
        />
      </details>
    </>
  );
}

function Outcome({ status }: { status: number | null }) {
  if (status === null) {
    return <Badge tone="wait">not known</Badge>;
  }
  return status < 400 ? null : <Badge tone="bad">refused</Badge>;
}

function AuditFilter({ filters, people }: { filters: AuditFilters; people: readonly string[] }) {
  const navigate = lazyRoute.useNavigate();
  const change = (changed: AuditFilters) =>
    void navigate({ search: (all) => ({ ...all, ...changed }), replace: true });
  return (
    <Filters>
      <FilterText
        label="Who"
        value={filters.actor}
        options={people}
        placeholder="E-mail address or token"
        onFilter={(actor) => change({ actor })}
      />
      <SelectField
        label="About"
        value={filters.kind ?? ""}
        onChange={(event) => change({ kind: KINDS.find((one) => one.kind === event.target.value)?.kind })}
      >
        <option value="">Anything</option>
        {KINDS.map(({ kind, label }) => (
          <option key={kind} value={kind}>
            {label}
          </option>
        ))}
      </SelectField>
      <SelectField
        label="What was done"
        value={filters.method ?? ""}
        onChange={(event) => change({ method: METHODS.find((one) => one === event.target.value) })}
      >
        <option value="">Anything</option>
        <option value="POST">Created, or an action</option>
        <option value="PUT">Replaced</option>
        <option value="PATCH">Changed</option>
        <option value="DELETE">Deleted</option>
      </SelectField>
      <FilterText
        label="Id of an object"
        value={filters.resource}
        onFilter={(resource) => change({ resource })}
      />
      <FilterTime label="Since" value={filters.since} onFilter={(since) => change({ since })} />
      <FilterTime label="Before" value={filters.until} onFilter={(until) => change({ until })} />
    </Filters>
  );
}

/** Return those who made the changes that are shown, to choose from. */
function peopleOf(rows: readonly Entry[]): readonly string[] {
  return [...new Set(rows.map((one) => one.actor_email ?? one.actor))].sort();
}
