import { Link } from "@tanstack/react-router";
import { StatusBadge } from "~/kit/Badge";
import { Card } from "~/kit/Page";
import { type Column, Table } from "~/kit/Table";
import type { MessagesSearch } from "~/screens/messages/routes";
import { STATUSES } from "~/screens/messages/routes";
import { channelName } from "~/shell/channels";
import { word } from "~/shell/search";
import type { Overview } from "./figures";

type Reason = Overview["reasons"][number];

const NUMBER = new Intl.NumberFormat();

/** Why messages failed or were skipped, the most frequent first. Each leads to the messages. */
export function ReasonsCard({
  overview,
  channel,
  last,
}: {
  overview: Overview;
  channel: MessagesSearch["channel"];
  last: MessagesSearch["last"];
}) {
  const reasons = overview.reasons.filter((one) => channel === undefined || one.channel === channel);
  const failed = reasons.filter((one) => one.status !== "skipped");
  const skipped = reasons.filter((one) => one.status === "skipped");
  return (
    <>
      <Card title="Top reasons of failures and retries">
        {failed.length === 0 ? (
          <p>Nothing failed, and nothing is tried again.</p>
        ) : (
          <Table caption="Reasons of failures" columns={columns(last)} rows={failed} rowKey={keyOf} />
        )}
      </Card>
      <Card title="Top reasons of skipping">
        {skipped.length === 0 ? (
          <p>Nothing was skipped.</p>
        ) : (
          <Table caption="Reasons of skipping" columns={columns(last)} rows={skipped} rowKey={keyOf} />
        )}
      </Card>
    </>
  );
}

function keyOf(reason: Reason): string {
  return `${reason.status} ${reason.channel} ${reason.reason}`;
}

function columns(last: MessagesSearch["last"]): Column<Reason>[] {
  return [
    {
      header: "Reason",
      cell: (row) => (
        <Link
          to="/messages"
          search={{
            last,
            reason: row.reason,
            // Events of which nothing is sent have no delivery with a channel or a status.
            ...(row.channel && { channel: row.channel, status: word(row.status, STATUSES) }),
          }}
        >
          {row.text ?? row.reason}
        </Link>
      ),
    },
    {
      header: "Channel",
      cell: (row) => channelName(row.channel) || "the whole event",
      isWhole: true,
    },
    { header: "Status", cell: (row) => <StatusBadge status={row.status} />, isWhole: true },
    { header: "Messages", cell: (row) => NUMBER.format(row.count), isNumber: true },
  ];
}
