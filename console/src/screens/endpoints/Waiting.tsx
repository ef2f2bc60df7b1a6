import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { useRows } from "~/api/pages";
import { Button } from "~/kit/Button";
import { Confirm } from "~/kit/Dialog";
import { EmptyState } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { notify } from "~/kit/Toast";
import styles from "./Endpoints.module.css";
import { type Endpoint, type Named, PAGE } from "./queries";
import { nameOf } from "./words";

type Parked = Schemas["Parked"];
/** What is to be skipped: one, the first one of an endpoint in strict order, or everything. */
type Wanted = Parked | "first" | "all";

/** What waits for an endpoint, the next ones first. */
export function Waiting({
  endpoint,
  path,
  mayChange,
}: {
  endpoint: Endpoint;
  path: Named;
  mayChange: boolean;
}) {
  const queries = useQueryClient();
  const [wanted, setWanted] = useState<Wanted>();
  const list = useRows(["endpoints", path.endpoint_id, "parked"], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}/parked", {
        params: { path, query: { limit: PAGE, ...(cursor && { cursor }) } },
        signal,
      }),
    ),
  );
  const skip = useMutation({
    mutationFn: (one: Wanted) =>
      answer(
        api.POST("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}/parked/skip", {
          params: { path },
          body:
            one === "first"
              ? { first: true }
              : one === "all"
                ? { all: true }
                : { delivery_ids: [one.delivery_id] },
        }),
      ),
    onSuccess: ({ skipped }) => {
      setWanted(undefined);
      notify(`${skipped.toLocaleString()} ${skipped === 1 ? "message was" : "messages were"} skipped.`);
      return queries.invalidateQueries({ queryKey: ["endpoints", path.endpoint_id] });
    },
  });
  const columns: Column<Parked>[] = [
    {
      header: "Event",
      cell: (row) => (
        <Link to="/messages/$eventId" params={{ eventId: row.event_id }}>
          {row.event_type}
        </Link>
      ),
    },
    { header: "Why it waits", cell: (row) => row.reason_text },
    { header: "Attempt", cell: (row) => row.attempt, isNumber: true },
    { header: "Waits since", cell: (row) => <Time at={row.parked_at} />, isWhole: true },
    { header: "Due", cell: (row) => <Time at={row.due_at} />, isWhole: true },
  ];
  if (mayChange) {
    columns.push({
      header: "",
      cell: (row) => (
        <Button size="small" onClick={() => setWanted(row)}>
          Skip<span className="unseen"> the message {row.event_type}</span>
        </Button>
      ),
    });
  }
  return (
    <div className={styles.stack}>
      <div className={styles.buttons}>
        <Button size="small" onClick={list.reload}>
          Refresh
        </Button>
        {mayChange && list.rows.length > 0 ? (
          <>
            {endpoint.mode === "ordered" ? (
              <Button size="small" onClick={() => setWanted("first")}>
                Skip the first message …
              </Button>
            ) : null}
            <Button size="small" look="danger" onClick={() => setWanted("all")}>
              Skip all messages …
            </Button>
          </>
        ) : null}
      </div>
      <List
        caption="Waiting messages, the next ones first"
        columns={columns}
        rowKey={(row) => row.delivery_id}
        list={list}
        empty={
          <EmptyState
            title="Nothing waits"
            text="Messages wait here while the endpoint is down, disabled or polled, and behind each other in strict order, or for a late attempt. One whose next attempt is soon is among the deliveries, as retrying."
          />
        }
      />
      <Confirm
        key={String(wanted === "all")}
        isOpen={wanted !== undefined}
        onClose={() => setWanted(undefined)}
        title={wanted === "all" ? "Skip all waiting messages?" : "Skip this message?"}
        text="It ends as skipped, and is not sent. You can send it again later from the deliveries."
        action={wanted === "all" ? "Skip all messages" : "Skip the message"}
        {...(wanted === "all" && { name: nameOf(endpoint) })}
        onSubmit={() => wanted && skip.mutate(wanted)}
        isBusy={skip.isPending}
        error={skip.error}
      />
    </div>
  );
}
