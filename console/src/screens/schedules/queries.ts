import { queryOptions } from "@tanstack/react-query";
import { answer, api, type Schemas } from "~/api/client";

export type Schedule = Schemas["Schedule"];
export type ScheduleWithTimes = Schemas["ScheduleWithTimes"];

export const PAGE = 50;
// How often next and last times are read again.
export const EVERY_MS = 15_000;

/** One schedule with its next times. */
export function scheduleQuery(tenantId: string, id: string) {
  return queryOptions({
    queryKey: ["schedules", tenantId, id],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/admin/tenants/{id}/schedules/{schedule_id}", {
          params: { path: { id: tenantId, schedule_id: id } },
          signal,
        }),
      ),
    refetchInterval: EVERY_MS,
  });
}

/** What an expression means, and its next times. */
export function timesQuery(tenantId: string, cron: string, timezone: string) {
  return queryOptions({
    queryKey: ["schedules", tenantId, "times", cron, timezone],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/admin/tenants/{id}/schedule-times", {
          params: { path: { id: tenantId }, query: { cron, ...(timezone && { timezone }) } },
          signal,
        }),
      ),
    enabled: cron.trim() !== "",
    retry: false,
  });
}
