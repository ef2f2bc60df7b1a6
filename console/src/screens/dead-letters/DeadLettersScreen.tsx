import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute, getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { useRows } from "~/api/pages";
import { may, useSession } from "~/api/session";
import { Button, LinkButton } from "~/kit/Button";
import { SelectField } from "~/kit/Field";
import { FilterText } from "~/kit/FilterText";
import { FilterTime } from "~/kit/FilterTime";
import { EmptyState, Filters, Page } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { channelName, providerOf } from "~/shell/channels";
import { useTenant, useTenantId, useTenantName } from "~/shell/tenants";
import { CHANNELS, type Channel, type DeadLetter, type DeadLetterFilters, given } from "./filters";
import { ReasonFilter } from "./ReasonFilter";
import { ReplayDialog } from "./ReplayDialog";
import { ReplayOne } from "./ReplayOne";
import { Replays } from "./Replays";

export const lazyRoute = createLazyRoute("/frame/dead-letters")({ component: DeadLettersScreen });

const route = getRouteApi("/frame/dead-letters");

function DeadLettersScreen() {
  const { tenant: tenantId, ...filters } = { ...route.useSearch(), tenant: useTenantId() };
  const navigate = route.useNavigate();
  const queries = useQueryClient();
  const session = useSession();
  const tenant = useTenant();
  const tenantName = useTenantName();
  const [isReplaying, setReplaying] = useState(false);
  const mayReplay = may(session, "operator", tenant);
  const query = { ...given(filters), ...(tenantId && { tenant_id: tenantId }) };
  const list = useRows<DeadLetter>(["dead-letters", query], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/dead-letters", {
        params: { query: { ...query, limit: 50, ...(cursor && { cursor }) } },
        signal,
      }),
    ),
  );
  const count = useQuery({
    queryKey: ["dead-letters", "count", query],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/dead-letters/count", { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
  const filter = (change: DeadLetterFilters) =>
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const reload = () => void queries.invalidateQueries({ queryKey: ["dead-letters"] });
  const isFiltered = Object.keys(given(filters)).length > 0;
  const found = count.data;

  const failedLink = (
    <LinkButton to="/messages" search={{ status: "failed", ...(tenantId && { tenant: tenantId }) }}>
      Messages that failed
    </LinkButton>
  );

  const columns: readonly Column<DeadLetter>[] = [
    {
      header: "Event",
      cell: (letter) => (
        <Link to="/messages/$eventId" params={{ eventId: letter.event_id }}>
          {letter.event_type ?? letter.event_id}
        </Link>
      ),
    },
    ...(tenantId ? [] : [{ header: "Tenant", cell: (letter: DeadLetter) => tenantName(letter.tenant_id) }]),
    {
      header: "Channel",
      cell: (letter) => [channelName(letter.channel), providerOf(letter)].filter(Boolean).join(", "),
    },
    {
      header: "Why",
      cell: (letter) => (
        <>
          <p>{letter.text}</p>
          {letter.detail ? <p className="soft">{letter.detail}</p> : null}
        </>
      ),
    },
    { header: "Died", cell: (letter) => <Time at={letter.died_at} />, isWhole: true },
    ...(mayReplay
      ? [
          {
            header: "",
            cell: (letter: DeadLetter) => <ReplayOne letter={letter} onDone={reload} />,
            isWhole: true,
          },
        ]
      : []),
  ];

  return (
    <Page
      title="Dead letters"
      text={
        <>
          Deliveries whose last attempt failed. Each waits until somebody replays it, after its cause is gone.
          What was refused for good is not tried again, and stands{" "}
          <Link to="/messages" search={{ status: "failed", ...(tenantId && { tenant: tenantId }) }}>
            among the messages that failed
          </Link>
          .
        </>
      }
      actions={
        mayReplay && found && found.count > 0 ? (
          <Button look="primary" onClick={() => setReplaying(true)}>
            Send {found.more ? "all that match" : amount(found.count)} again …
          </Button>
        ) : null
      }
    >
      <Filters>
        <SelectField
          label="Channel"
          value={filters.channel ?? ""}
          onChange={(event) => filter({ channel: (event.target.value || undefined) as Channel | undefined })}
        >
          <option value="">Any</option>
          {CHANNELS.map((one) => (
            <option key={one} value={one}>
              {channelName(one)}
            </option>
          ))}
        </SelectField>
        <ReasonFilter
          reason={filters.reason}
          counts={found?.reasons ?? []}
          onFilter={(reason) => filter({ reason })}
        />
        <FilterText
          label="Provider"
          value={filters.provider}
          options={[...new Set(list.rows.map((one) => one.provider ?? ""))].filter(Boolean)}
          placeholder="smtp"
          onFilter={(provider) => filter({ provider })}
        />
        <FilterText
          label="Event type"
          value={filters.event_type}
          options={[...new Set(list.rows.map((one) => one.event_type ?? ""))].filter(Boolean)}
          onFilter={(event_type) => filter({ event_type })}
        />
        <FilterText
          label="Endpoint id"
          value={filters.endpoint_id}
          onFilter={(endpoint_id) => filter({ endpoint_id })}
        />
        <FilterTime label="Died since" value={filters.since} onFilter={(since) => filter({ since })} />
        <FilterTime label="Died before" value={filters.until} onFilter={(until) => filter({ until })} />
      </Filters>
      <Replays of="dead_letters" tenantId={tenantId} onProgress={reload} />
      <p aria-live="polite">{found ? `${number(found.count, found.more)} match.` : ""}</p>
      <List
        caption="Dead letters, newest first"
        columns={columns}
        rowKey={(letter) => letter.delivery_id}
        list={list}
        empty={
          isFiltered ? (
            <EmptyState
              title="No dead letters match"
              text="Take away a filter, or look at another tenant."
              action={
                <Button onClick={() => void navigate({ search: { tenant: tenantId } })}>
                  Clear the filters
                </Button>
              }
            />
          ) : (
            <EmptyState
              title="No dead letters"
              text="A delivery comes here when its last attempt fails although a later one could have worked, for example because the provider was down. What was refused for good, such as a sender or an address, has failed and is among the messages."
              action={failedLink}
            />
          )
        }
      />
      <ReplayDialog
        isOpen={isReplaying}
        onClose={() => setReplaying(false)}
        filter={query}
        count={found ? number(found.count, found.more) : ""}
        tenant={tenant?.name}
      />
    </Page>
  );
}

function amount(count: number): string {
  return count === 1 ? "it" : `all ${count.toLocaleString()}`;
}

function number(count: number, more: boolean): string {
  return `${count.toLocaleString()}${more ? "+" : ""}`;
}
