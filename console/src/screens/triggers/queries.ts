import { queryOptions } from "@tanstack/react-query";
import { answer, api, type Schemas } from "~/api/client";
import { Problem } from "~/api/problem";

export type Run = Schemas["Run"];
export type WorkflowRun = Schemas["WorkflowRun"];
export type WorkflowCount = Schemas["WorkflowCount"];

export const PAGE = 50;
// How often what goes on is read again.
export const LIVE_MS = 2_000;
const LATER_MS = 10_000;

/** Return whether a run has ended. */
export function isOver(run: Run): boolean {
  return run.state === "done" || run.state === "canceled" || run.state === "failed";
}

/** One event; null: the ledger does not know it yet, which is no error, or it does not exist. */
export function triggerQuery(eventId: string) {
  return queryOptions({
    queryKey: ["events", eventId, "trigger"],
    queryFn: async ({ signal }) => {
      const query = { event_id: eventId, limit: 1 };
      const page = await answer(api.GET("/api/v1/admin/events", { params: { query }, signal }));
      if (page.data.every((one) => one.id !== eventId)) {
        return null;
      }
      return answer(api.GET("/api/v1/admin/events/{id}", { params: { path: { id: eventId } }, signal }));
    },
    refetchInterval: (query) => (query.state.data?.finished_at ? false : LIVE_MS),
  });
}

/** The run of an event; null: it has none, or its days are over; or not yet, if the event is not finished. */
export function runQuery(eventId: string, isFinished: boolean) {
  return queryOptions({
    queryKey: ["runs", eventId],
    queryFn: async ({ signal }) => {
      try {
        return await answer(
          api.GET("/api/v1/admin/events/{id}/run", { params: { path: { id: eventId } }, signal }),
        );
      } catch (error) {
        if (error instanceof Problem && error.status === 404) {
          return null;
        }
        throw error;
      }
    },
    refetchInterval: (query) => {
      const run = query.state.data;
      if (run) {
        return isOver(run) ? false : LIVE_MS;
      }
      return isFinished ? false : LATER_MS;
    },
  });
}

/** How many deliveries of an event have each status, by workflow and step. changed: when the event last changed. */
export function countsQuery(eventId: string, changed: string) {
  return queryOptions({
    queryKey: ["events", eventId, "workflow-counts", changed],
    queryFn: async ({ signal }) => {
      const found = await answer(
        api.GET("/api/v1/admin/events/{id}/workflow-counts", { params: { path: { id: eventId } }, signal }),
      );
      return found.data;
    },
    placeholderData: (before) => before,
  });
}

/** The names of a tenant's workflows by their ids, as far as the first hundred. */
export function workflowNamesQuery(tenantId: string) {
  return queryOptions({
    queryKey: ["workflows", tenantId, "names"],
    queryFn: async ({ signal }) => {
      const found = await answer(
        api.GET("/api/v1/admin/tenants/{id}/workflows", {
          params: { path: { id: tenantId }, query: { limit: 100 } },
          signal,
        }),
      );
      return new Map(found.data.map((one) => [one.id, one.name]));
    },
  });
}

/** One workflow run with its steps. */
export function workflowRunQuery(tenantId: string, runId: string) {
  return queryOptions({
    queryKey: ["workflow-runs", tenantId, runId],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/admin/tenants/{id}/workflow-runs/{workflow_run_id}", {
          params: { path: { id: tenantId, workflow_run_id: runId } },
          signal,
        }),
      ),
    refetchInterval: (query) => (query.state.data && !query.state.data.finished_at ? LIVE_MS : false),
  });
}
