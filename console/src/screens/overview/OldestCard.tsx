import { Link } from "@tanstack/react-router";
import { StatusBadge } from "~/kit/Badge";
import { Card, Facts } from "~/kit/Page";
import { Time } from "~/kit/Time";
import { channelName, providerOf } from "~/shell/channels";
import type { Overview } from "./figures";

/** What has waited for the longest time, and why. */
export function OldestCard({ oldest }: { oldest: Overview["oldest_waiting"] }) {
  return (
    <Card title="Oldest waiting message">
      {oldest === null ? (
        <p>Nothing waits: everything that is due was sent, skipped or has failed.</p>
      ) : (
        <Facts
          facts={[
            [
              "Message",
              <Link
                key="message"
                to="/messages/$eventId"
                params={{ eventId: oldest.event_id }}
                search={{ tenant: oldest.tenant_id }}
              >
                {oldest.event_type || oldest.event_id}
              </Link>,
            ],
            ["Tenant", oldest.tenant_name],
            ["Since", <Time key="since" at={oldest.since} />],
            ["Channel", channelName(oldest.channel)],
            [
              "Status",
              oldest.status ? <StatusBadge key="status" status={oldest.status} /> : "not planned yet",
            ],
            ["Why", oldest.text ?? oldest.reason ?? "It waits for its turn."],
            ["Attempts", oldest.attempts || null],
            ["Provider", providerOf(oldest)],
          ]}
        />
      )}
    </Card>
  );
}
