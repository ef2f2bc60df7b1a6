import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { createLazyRoute, getRouteApi, Link } from "@tanstack/react-router";
import { answer, api, type Schemas } from "~/api/client";
import { useRows } from "~/api/pages";
import { Badge, type Tone } from "~/kit/Badge";
import { Button, LinkButton } from "~/kit/Button";
import { CopyButton } from "~/kit/Copy";
import { SelectField } from "~/kit/Field";
import { FilterText } from "~/kit/FilterText";
import { FilterTime } from "~/kit/FilterTime";
import { EmptyState, Filters, Page } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { ReasonFilter } from "~/screens/dead-letters/ReasonFilter";
import { useTenantId, useTenantName } from "~/shell/tenants";
import styles from "./Refused.module.css";
import type { RefusedFilters } from "./routes";

export const lazyRoute = createLazyRoute("/frame/refused")({ component: RefusedScreen });

type Refusals = Schemas["Refusals"];
type Reason = Refusals["reason"];

const route = getRouteApi("/frame/refused");
// Its details are the same for all keys; the reason says more.
const KEY_REFUSED = 401;
// What the page of keys calls the one that every tenant has.
const FIRST_KEY = "first";
const STATUSES = [
  ["400", "cannot be read"],
  ["401", "no valid key"],
  ["403", "not allowed"],
  ["404", "not found"],
  ["409", "contradicts what is stored"],
  ["413", "too large"],
  ["415", "not JSON"],
  ["422", "a wrong field"],
  ["429", "a limit"],
  ["503", "no room"],
] as const;

function RefusedScreen() {
  const { tenant: tenantId, ...filters } = { ...route.useSearch(), tenant: useTenantId() };
  const navigate = route.useNavigate();
  const tenantName = useTenantName();
  const filter = (change: RefusedFilters) =>
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const query = {
    ...(tenantId && { tenant_id: tenantId }),
    ...(filters.status && { status: Number(filters.status) }),
    ...(filters.reason && { reason: filters.reason as Reason }),
    ...(filters.key_id && { key_id: filters.key_id }),
    ...(filters.since && { since: filters.since }),
    ...(filters.until && { until: filters.until }),
  };
  const list = useRows<Refusals>(["refused", query], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/refused-requests", {
        params: { query: { ...query, limit: 50, ...(cursor && { cursor }) } },
        signal,
      }),
    ),
  );
  const { reason: _one, ...others } = query;
  const reasons = useQuery({
    queryKey: ["refused", "reasons", others],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/refused-requests/reasons", { params: { query: others }, signal })),
    placeholderData: keepPreviousData,
  });
  const isFiltered = Object.values(filters).some(Boolean);
  const columns: readonly Column<Refusals>[] = [
    { header: "Last", cell: (one) => <Time at={one.last_at} />, isWhole: true },
    { header: "Requests", cell: (one) => one.count.toLocaleString(), isNumber: true },
    { header: "Status", cell: (one) => <Badge tone={tone(one.status)}>{String(one.status)}</Badge> },
    { header: "Why, and what to do", cell: (one) => <Why refusals={one} /> },
    { header: "Key", cell: (one) => <Key refusals={one} /> },
    ...(tenantId
      ? []
      : [
          {
            header: "Tenant",
            cell: (one: Refusals) => (one.tenant_id ? tenantName(one.tenant_id) : "none"),
          },
        ]),
    { header: "Trace id", cell: (one) => <CopyButton text={one.trace_id} what="trace id" /> },
  ];
  return (
    <Page
      title="Refused requests"
      text="Requests of the public APIs that were answered with an error, minute by minute, by the key that sent them. They are kept for seven days. What they contained is not kept."
    >
      <Filters>
        <SelectField
          label="Status"
          value={filters.status ?? ""}
          onChange={(event) => filter({ status: event.target.value || undefined })}
        >
          <option value="">Any</option>
          {STATUSES.map(([status, what]) => (
            <option key={status} value={status}>
              {status}: {what}
            </option>
          ))}
        </SelectField>
        <ReasonFilter
          reason={filters.reason}
          counts={reasons.data?.data ?? []}
          onFilter={(reason) => filter({ reason })}
        />
        <FilterText label="Key id" value={filters.key_id} onFilter={(key_id) => filter({ key_id })} />
        <FilterTime label="Since" value={filters.since} onFilter={(since) => filter({ since })} />
        <FilterTime label="Before" value={filters.until} onFilter={(until) => filter({ until })} />
      </Filters>
      <List
        caption="Refused requests, newest first"
        columns={columns}
        rowKey={(one) => one.id}
        list={list}
        empty={
          isFiltered ? (
            <EmptyState
              title="No refused requests match"
              text="Take away a filter, or look at another tenant."
              action={
                <Button onClick={() => void navigate({ search: { tenant: tenantId } })}>
                  Clear the filters
                </Button>
              }
            />
          ) : (
            <EmptyState
              title="No refused requests"
              text="In the last seven days every request was accepted. If a caller says that it gets errors, it may call another address: compare it with that of this installation."
              action={<LinkButton to="/messages">Look at the accepted messages</LinkButton>}
            />
          )
        }
      />
    </Page>
  );
}

function Why({ refusals }: { refusals: Refusals }) {
  return (
    <>
      <p>
        {refusals.text} {refusals.fix}
      </p>
      {refusals.fields.length > 0 ? (
        <p>
          Fields:{" "}
          {refusals.fields.map((field, place) => (
            <span key={field}>
              {place > 0 ? ", " : ""}
              <code>{field}</code>
            </span>
          ))}
        </p>
      ) : null}
      {refusals.detail && refusals.status !== KEY_REFUSED ? <p className="soft">{refusals.detail}</p> : null}
      <p className="soft">
        <code>{[refusals.method, refusals.route].filter(Boolean).join(" ")}</code>
      </p>
    </>
  );
}

/** The key that sent the requests; of a tenant's, a link to its page. */
function Key({ refusals }: { refusals: Refusals }) {
  const key = refusals.key;
  if (key === null) {
    return <>none{refusals.network ? `, from ${refusals.network}` : ""}</>;
  }
  const name = key.name ?? (key.state === "unknown" ? "Unknown" : key.id ? "Deleted" : "The tenant’s own");
  const end = key.last4 ? `${key.prefix ?? ""}…${key.last4}` : "";
  return (
    <>
      <p>
        {refusals.tenant_id ? (
          <Link
            to="/tenants/$tenantId/keys"
            params={{ tenantId: refusals.tenant_id }}
            search={{ key: key.id ?? FIRST_KEY }}
          >
            {name}
          </Link>
        ) : (
          name
        )}{" "}
        <code className={styles.end}>{end}</code>
      </p>
      <p>
        <Badge tone={key.state === "valid" ? "good" : "bad"}>{key.state}</Badge>{" "}
        {refusals.network ? `from ${refusals.network}` : ""}
      </p>
    </>
  );
}

function tone(status: number): Tone {
  return status === 429 || status === 503 ? "wait" : "bad";
}
