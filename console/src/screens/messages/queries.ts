import { answer, api, type Schemas } from "~/api/client";
import type { Page } from "~/api/pages";
import type { LiveFilters } from "~/live/connection";
import type { MessagesSearch } from "./routes";

export type Event = Schemas["Event"];

export const PAGE = 50;
// A page with filters may be short although older events match: so many of them are read for one page of the screen.
const MOST_READS = 20;
const HOURS: Readonly<Record<NonNullable<MessagesSearch["last"]>, number>> = {
  "1h": 1,
  "24h": 24,
  "7d": 168,
  "30d": 720,
};

/** Return the key of a list: another one for each filter. */
export function eventsKey(tenantId: string | undefined, { live: _, ...filter }: MessagesSearch) {
  return ["events", tenantId, filter] as const;
}

/** Return what is asked of the API besides the page and the time. */
export function filtersOf(tenantId: string | undefined, search: MessagesSearch): LiveFilters {
  const { event_type, recipient, channel, status, reason, provider, event_id } = search;
  return {
    ...(tenantId && { tenant_id: tenantId }),
    ...(event_type && { event_type }),
    ...(recipient && { recipient }),
    ...(channel && { channel }),
    ...(status && { status }),
    ...(reason && { reason }),
    ...(provider && { provider }),
    ...(event_id && { event_id }),
  };
}

/** Read a page of messages: as many as a page has, or all there are. */
export async function readEvents(
  tenantId: string | undefined,
  search: MessagesSearch,
  cursor: string | undefined,
  signal: AbortSignal,
): Promise<Page<Event>> {
  const found: Event[] = [];
  let from = cursor;
  for (let read = 0; read < MOST_READS; read++) {
    const query = {
      ...(filtersOf(tenantId, search) as Pick<MessagesSearch, "channel" | "status">),
      ...timeOf(search),
      limit: PAGE - found.length,
      ...(from && { cursor: from }),
    };
    const page = await answer(api.GET("/api/v1/admin/events", { params: { query: present(query) }, signal }));
    found.push(...page.data);
    from = page.next_cursor ?? undefined;
    if (from === undefined || found.length >= PAGE) {
      break;
    }
  }
  return { data: found, next_cursor: from ?? null };
}

function timeOf({ last, since, until }: MessagesSearch): { since?: string; until?: string } {
  if (last) {
    return { since: new Date(Date.now() - HOURS[last] * 3_600_000).toISOString() };
  }
  return { ...(since && { since }), ...(until && { until }) };
}

/** Return what a replay of all that match is asked for. */
export function replayFilter(search: MessagesSearch) {
  const { status, channel, event_type, reason, provider } = search;
  return present({ status, channel, event_type, reason, provider, ...timeOf(search) });
}

/** Return an object without the values that are undefined. */
function present<T extends object>(query: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
