import { queryOptions } from "@tanstack/react-query";
import { answer, api, type Schemas } from "~/api/client";
import { Problem } from "~/api/problem";

export type Event = Schemas["EventWithTimeline"];
export type Delivery = Schemas["Delivery"];
export type DeliveryWithTimeline = Schemas["DeliveryWithTimeline"];
export type Step = Schemas["Step"];
export type Content = Schemas["SentContent"];

// How often an event is read again: while something of it is under way, and later, for reports of providers.
const LIVE_MS = 1_500;
const LATER_MS = 15_000;
const OLD_MS = 60 * 60_000;

/** One event with its timeline, read again while something may still happen. */
export function eventQuery(id: string) {
  return queryOptions({
    queryKey: ["events", id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/events/{id}", { params: { path: { id } }, signal })),
    refetchInterval: (query) => pause(query.state.data),
    // The ledger is about a second behind: an event that was just sent is not known yet.
    retry: (failures, error) => failures < 3 && error instanceof Problem && error.status === 404,
    retryDelay: 1_000,
  });
}

// Until when somebody who sent an event again looks at it closely, by its id.
const watched = new Map<string, number>();
const WATCH_MS = 30_000;

/** Read an event often for a while: somebody sent it again, and the ledger is about a second behind. */
export function watch(id: string): void {
  watched.set(id, Date.now() + WATCH_MS);
}

function pause(event: Event | undefined): number | false {
  if (!event) {
    return false;
  }
  if ((watched.get(event.id) ?? 0) > Date.now()) {
    return LIVE_MS;
  }
  watched.delete(event.id);
  if (!event.finished_at) {
    return event.waiting ? LATER_MS : LIVE_MS;
  }
  return Date.now() - Date.parse(event.finished_at) < OLD_MS ? LATER_MS : false;
}

/** One delivery with its timeline, and what was answered to its calls. changed: when the event last changed. */
export function deliveryQuery(id: string, changed: string) {
  return queryOptions({
    queryKey: ["deliveries", id, changed],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/deliveries/{id}", { params: { path: { id } }, signal })),
    placeholderData: (before) => before,
  });
}

/** What one attempt sent. attempt: as "replay.attempt"; absent: the newest one. changed: as in deliveryQuery(). */
export function contentQuery(id: string, attempt: string | undefined, changed: string) {
  return queryOptions({
    queryKey: ["deliveries", id, "content", attempt ?? "", changed],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/admin/deliveries/{id}/content", {
          params: { path: { id }, query: whichAttempt(attempt) },
          signal,
        }),
      ),
    placeholderData: (before) => before,
    refetchInterval: (query) => (query.state.data?.missing === "not_written_yet" ? 1_000 : false),
  });
}

/** Return the parameters of an attempt that is written as "replay.attempt". */
export function whichAttempt(attempt: string | undefined): { attempt?: number; replay?: number } {
  const [replay, number] = (attempt ?? "").split(".").map(Number);
  return replay !== undefined && number !== undefined && number > 0 ? { attempt: number, replay } : {};
}

/** What an event carried, and the request that sends it once more. */
export function bodyQuery(id: string) {
  return queryOptions({
    queryKey: ["events", id, "body"],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/events/{id}/body", { params: { path: { id } }, signal })),
  });
}
