import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { useRows } from "~/api/pages";
import { StatusBadge } from "~/kit/Badge";
import { Button, LinkButton } from "~/kit/Button";
import { SelectField, TextField } from "~/kit/Field";
import { EmptyState, Filters } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { DeliveryDialog } from "./DeliveryDialog";
import styles from "./Endpoints.module.css";
import { type Delivery, type Named, PAGE } from "./queries";
import { SendAgain } from "./SendAgain";

const route = getRouteApi("/frame/endpoints/$endpointId");
// An attempt is recorded a moment after it was made.
const EVERY_MS = 5_000;
const STATUSES = ["queued", "retrying", "sent", "skipped", "failed", "dead"] as const;

/** The deliveries of an endpoint, newest first. Its URL holds the filters and the open delivery. */
export function Deliveries({ path, mayChange }: { path: Named; mayChange: boolean }) {
  const search = route.useSearch();
  const navigate = useNavigate();
  const [isSending, setSending] = useState<"recover" | "backfill">();
  const { status, event_type } = search;
  const list = useRows(
    ["endpoints", path.endpoint_id, "deliveries", { status, event_type }],
    (cursor, signal) =>
      answer(
        api.GET("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}/deliveries", {
          params: {
            path,
            query: {
              limit: PAGE,
              ...(cursor && { cursor }),
              ...(status && { status: status as (typeof STATUSES)[number] }),
              ...(event_type && { event_type }),
            },
          },
          signal,
        }),
      ),
    { everyMs: EVERY_MS },
  );
  const go = (change: Partial<typeof search>) =>
    void navigate({
      to: "/endpoints/$endpointId",
      params: { endpointId: path.endpoint_id },
      search: { ...search, ...change },
    });
  const columns: readonly Column<Delivery>[] = [
    {
      header: "Event",
      cell: (row) => (
        <Link
          to="/endpoints/$endpointId"
          params={{ endpointId: path.endpoint_id }}
          search={{ ...search, delivery: row.id }}
        >
          {row.event_type}
        </Link>
      ),
    },
    { header: "Status", cell: (row) => <StatusBadge status={row.status} />, isWhole: true },
    { header: "Why", cell: (row) => row.reason_text ?? "–" },
    { header: "Attempts", cell: (row) => row.attempts, isNumber: true },
    { header: "Accepted", cell: (row) => <Time at={row.created_at} />, isWhole: true },
    { header: "Next attempt", cell: (row) => <Time at={row.next_attempt_at} />, isWhole: true },
  ];
  const isFiltered = Boolean(status || event_type);
  return (
    <div className={styles.stack}>
      <Filters>
        <SelectField
          label="Status"
          value={status ?? ""}
          onChange={(event) => go({ status: event.target.value || undefined })}
        >
          <option value="">Any status</option>
          {STATUSES.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </SelectField>
        <TypeFilter
          key={event_type}
          value={event_type ?? ""}
          onChange={(value) => go({ event_type: value || undefined })}
        />
      </Filters>
      <div className={styles.buttons}>
        <Button size="small" onClick={list.reload}>
          Refresh
        </Button>
        {mayChange ? (
          <>
            <Button size="small" onClick={() => setSending("recover")}>
              Send failed deliveries again …
            </Button>
            <Button size="small" onClick={() => setSending("backfill")}>
              Send earlier events …
            </Button>
          </>
        ) : null}
      </div>
      <List
        caption="Deliveries"
        columns={columns}
        rowKey={(row) => row.id}
        list={list}
        empty={
          isFiltered ? (
            <EmptyState
              title="No delivery matches"
              text="Choose other filters."
              action={
                <LinkButton
                  to="/endpoints/$endpointId"
                  params={{ endpointId: path.endpoint_id }}
                  search={{ tab: "deliveries" }}
                >
                  Show all deliveries
                </LinkButton>
              }
            />
          ) : (
            <EmptyState
              title="Nothing was sent to it yet"
              text="Subscribe it to event types, or send a test event with the button above."
              action={
                <LinkButton
                  to="/endpoints/$endpointId"
                  params={{ endpointId: path.endpoint_id }}
                  search={{ tab: "subscriptions" }}
                >
                  Go to its subscriptions
                </LinkButton>
              }
            />
          )
        }
      />
      {search.delivery ? (
        <DeliveryDialog
          key={search.delivery}
          path={path}
          deliveryId={search.delivery}
          delivery={list.rows.find((one) => one.id === search.delivery)}
          mayChange={mayChange}
          onClose={() => go({ delivery: undefined })}
        />
      ) : null}
      {isSending ? <SendAgain path={path} what={isSending} onClose={() => setSending(undefined)} /> : null}
    </div>
  );
}

function TypeFilter({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [typed, setTyped] = useState(value);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onChange(typed.trim());
      }}
    >
      <TextField
        label="Event type"
        type="search"
        value={typed}
        placeholder="order.shipped"
        onChange={(event) => setTyped(event.target.value)}
        onBlur={() => typed.trim() !== value && onChange(typed.trim())}
        autoComplete="off"
        spellCheck={false}
      />
    </form>
  );
}
