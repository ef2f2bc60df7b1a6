import { Badge } from "~/kit/Badge";
import type { Schedule } from "./queries";

const ERRORS: Readonly<Record<string, string>> = {
  rate_limit: "a rate limit was reached",
  unfinished_limit: "too much is still being delivered",
  scheduled_limit: "too many events wait for their time",
  unavailable: "a part of Clarion was away",
  internal_error: "an error in Clarion",
  tenant_inactive: "the tenant was not active",
  invalid: "the event is not accepted",
  not_found: "the event type or the workflow is not known",
  recipient_erased: "its recipients were erased",
};

/** Return why the last time gave no event, in a few words. */
export function errorName(error: string): string {
  return ERRORS[error] ?? error;
}

/** Whether a schedule goes on, and whether its last time went well. */
export function ScheduleBadge({ schedule }: { schedule: Schedule }) {
  if (!schedule.active) {
    return <Badge tone="neutral">paused</Badge>;
  }
  return schedule.last_error ? <Badge tone="bad">last time failed</Badge> : <Badge tone="good">active</Badge>;
}

/** Return a zone's name for people. */
export function zoneName(timezone: string): string {
  return timezone || "UTC";
}

/** A time on the clocks of a zone, exact on hover. */
export function ZonedTime({ at, timezone }: { at: string; timezone: string }) {
  return (
    <time dateTime={at} title={at}>
      {inZone(new Date(at), timezone)}
    </time>
  );
}

function inZone(moment: Date, timezone: string): string {
  const format = (zone: string) =>
    new Intl.DateTimeFormat(undefined, {
      weekday: "short",
      year: "numeric",
      month: "short",
      day: "numeric",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
      timeZone: zone,
      timeZoneName: "short",
    }).format(moment);
  try {
    return format(zoneName(timezone));
  } catch {
    return format("UTC"); // a zone that this browser does not know
  }
}
