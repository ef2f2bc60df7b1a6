import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { answer, api } from "~/api/client";
import { useRows } from "~/api/pages";
import { useReasons } from "~/api/reasons";
import { StatusBadge } from "~/kit/Badge";
import { Button } from "~/kit/Button";
import { SelectField } from "~/kit/Field";
import { countSet, EmptyState, Filters } from "~/kit/Page";
import { List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { channelName } from "~/shell/channels";
import type { Delivery, Event } from "./queries";
import { STATUSES } from "./routes";
import { whom } from "./words";

/** The deliveries of an event with many recipients or endpoints, page by page. */
export function DeliveryList({ event }: { event: Event }) {
  const navigate = useNavigate({ from: "/messages/$eventId" });
  const { status } = useSearch({ from: "/frame/messages/$eventId" });
  const reasonOf = useReasons();
  const list = useRows(
    ["events", event.id, "deliveries", status ?? "", event.finished_at],
    (cursor, signal) =>
      answer(
        api.GET("/api/v1/admin/events/{id}/deliveries", {
          params: {
            path: { id: event.id },
            query: { limit: 50, ...(status && { status }), ...(cursor && { cursor }) },
          },
          signal,
        }),
      ),
  );
  const choose = (value: string) =>
    void navigate({
      to: ".",
      search: (before) => ({ ...before, status: STATUSES.find((one) => one === value) }),
      resetScroll: false,
      replace: true,
    });
  return (
    <>
      <Filters active={countSet(status)}>
        <SelectField label="Status" value={status ?? ""} onChange={(changed) => choose(changed.target.value)}>
          <option value="">All</option>
          {STATUSES.map((one) => (
            <option key={one} value={one}>
              {one} ({event.counts[one] ?? 0})
            </option>
          ))}
        </SelectField>
      </Filters>
      <List
        caption="Deliveries"
        list={list}
        rowKey={(row: Delivery) => row.id}
        empty={
          <EmptyState
            title="None"
            text="No delivery of this message has this status."
            action={<Button onClick={() => choose("")}>Show all deliveries</Button>}
          />
        }
        columns={[
          {
            header: "To",
            cell: (row) => (
              <Link
                from="/messages/$eventId"
                to="/messages/$eventId"
                params={{ eventId: event.id }}
                search={(before) => ({ ...before, delivery: row.id, attempt: undefined })}
                hash="delivery"
              >
                <bdi>{whom(row, event) || row.id}</bdi>
              </Link>
            ),
          },
          { header: "Channel", cell: (row) => channelName(row.channel), isWhole: true },
          { header: "Status", cell: (row) => <StatusBadge status={row.status} />, isWhole: true },
          { header: "Why", cell: (row) => reasonOf(row.reason)?.text ?? row.reason ?? "" },
          { header: "Attempts", cell: (row) => row.attempts, isNumber: true },
          { header: "Changed", cell: (row) => <Time at={row.updated_at} />, isWhole: true },
        ]}
      />
    </>
  );
}
