import { createLazyRoute, Link, useNavigate } from "@tanstack/react-router";
import { useRows } from "~/api/pages";
import { useSession } from "~/api/session";
import { LinkButton } from "~/kit/Button";
import { CopyButton } from "~/kit/Copy";
import { ErrorNote } from "~/kit/ErrorNote";
import { EmptyState, Page } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { ReplayMessages } from "~/screens/dead-letters/ReplayMessages";
import { Replays } from "~/screens/dead-letters/Replays";
import { useTenantId, useTenantName } from "~/shell/tenants";
import { LiveBar } from "./LiveBar";
import { Marks } from "./Marks";
import { MessageFilters } from "./MessageFilters";
import styles from "./Messages.module.css";
import { type Event, eventsKey, filtersOf, readEvents, replayFilter } from "./queries";
import type { MessagesSearch } from "./routes";
import { useLiveList } from "./useLiveList";

export const lazyRoute = createLazyRoute("/frame/messages")({ component: MessagesScreen });

function MessagesScreen() {
  const tenantId = useTenantId();
  const { tenant: _, ...search } = lazyRoute.useSearch();
  const navigate = useNavigate();
  const session = useSession();
  const nameOf = useTenantName();
  const key = eventsKey(tenantId, search);
  const list = useRows(key, (cursor, signal) => readEvents(tenantId, search, cursor, signal));
  // A list of the past does not change. A token, as the development server has it, turns it on by hand.
  const isLive =
    search.live === "on" || (search.live === undefined && session?.kind === "user" && !search.until);
  const live = useLiveList(key, isLive ? filtersOf(tenantId, search) : undefined, false);
  const change = (changes: Partial<MessagesSearch>) =>
    void navigate({ to: "/messages", search: { ...search, ...changes }, replace: true });
  const isFiltered = Object.keys(filtersOf(undefined, search)).length > 0 || search.last || search.since;
  // A filter that finds what nobody asked for shows it.
  const isWhole = search.status === "skipped" || search.reason !== undefined || search.channel !== undefined;
  return (
    <Page
      title="Messages"
      text="Every event that was accepted, and what became of it on each channel. The address of this page holds the filters: keep it, or send it to somebody."
      actions={
        <>
          {list.rows.length > 0 ? (
            <ReplayMessages
              filter={replayFilter(search)}
              count={`${list.rows.length}${list.hasMore ? "+" : ""}`}
              isNarrower={Boolean(search.recipient || search.event_id)}
            />
          ) : null}
          <CopyButton text={window.location.href} what="link to this list" />
        </>
      }
    >
      <MessageFilters
        key={JSON.stringify([
          search.event_type,
          search.recipient,
          search.reason,
          search.provider,
          search.event_id,
        ])}
        search={search}
        onChange={change}
      />
      <LiveBar
        live={live}
        isOn={isLive}
        onSwitch={() => change({ live: isLive ? "off" : "on" })}
        onReload={list.reload}
      />
      {search.status === undefined ? null : (
        <Replays of="events" tenantId={tenantId} onProgress={list.reload} />
      )}
      {list.error && list.rows.length > 0 ? <ErrorNote error={list.error} onRetry={list.reload} /> : null}
      <List
        caption="Messages, newest first"
        columns={columns(tenantId === undefined ? nameOf : null, isWhole)}
        list={list}
        rowKey={(row) => row.id}
        empty={
          isFiltered ? (
            <EmptyState
              title="No message matches"
              text={
                tenantId === undefined
                  ? "None of the tenants that you may see has one. Change the filters."
                  : `Only messages of ${nameOf(tenantId)} are searched. Change the filters, or look at all tenants.`
              }
              action={
                <div className={styles.buttons}>
                  <LinkButton to="/messages" search={{ ...(tenantId && { tenant: tenantId }) }}>
                    Remove the filters
                  </LinkButton>
                  {tenantId === undefined ? null : (
                    <LinkButton to="/messages" search={{ ...search, tenant: undefined }}>
                      Search all tenants
                    </LinkButton>
                  )}
                </div>
              }
            />
          ) : (
            <EmptyState
              title="No messages yet"
              text="Each event that your program triggers appears here within a second, with what became of it. Try it with a test send."
              action={
                <LinkButton to="/test-send" look="primary">
                  Send a test
                </LinkButton>
              }
            />
          )
        }
      />
    </Page>
  );
}

function columns(nameOf: ((id: string) => string) | null, isWhole: boolean): Column<Event>[] {
  const owner: Column<Event> = {
    header: "Tenant",
    cell: (row) => (
      <Link to="/messages" search={{ tenant: row.tenant_id }}>
        {nameOf?.(row.tenant_id)}
      </Link>
    ),
  };
  return [
    { header: "Accepted", cell: (row) => <Time at={row.accepted_at} />, isWhole: true },
    {
      header: "Message",
      cell: (row) => (
        <>
          <Link to="/messages/$eventId" params={{ eventId: row.id }} className={styles.type}>
            {row.event_type || "(no type)"}
          </Link>
          <div className={styles.id}>
            <span title={row.id}>
              {row.id.slice(0, 8)}…{row.id.slice(-6)}
            </span>
            {row.test ? " · test" : ""}
            {row.replay_of ? " · replay" : ""}
          </div>
        </>
      ),
    },
    ...(nameOf === null ? [] : [owner]),
    { header: "Recipient", cell: (row) => <Whom event={row} /> },
    { header: "Channels", cell: (row) => <Marks event={row} isWhole={isWhole} /> },
  ];
}

function Whom({ event }: { event: Event }) {
  if (event.several_recipients) {
    return <>several recipients</>;
  }
  const one = event.recipient;
  if (!one) {
    return <>{event.deliveries.some((delivery) => delivery.endpoint_id) ? "endpoints" : "–"}</>;
  }
  const address = one.email ?? one.phone;
  return (
    <>
      {one.user_id ? (
        <Link to="/messages" search={{ tenant: event.tenant_id, recipient: one.user_id }}>
          {one.user_id}
        </Link>
      ) : null}
      {address ? <div className={styles.id}>{address}</div> : null}
    </>
  );
}
