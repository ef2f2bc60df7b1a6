import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { answer, api, type Schemas } from "~/api/client";
import type { SendChannel } from "./document";

export type Workflow = Schemas["Workflow"];
export type WorkflowSummary = Schemas["WorkflowSummary"];
export type Version = Schemas["WorkflowVersionSummary"];
export type Fault = Schemas["WorkflowFault"];
export type DryRun = Schemas["DryRun"];
export type DryStep = Schemas["DryStep"];

// Of names that a field offers.
const MOST_CHOICES = 100;
// Of a list in which a search finds the others.
const MOST_FOUND = 20;

/** Names a workflow: the tenant's id and its own. */
export interface Named {
  id: string;
  workflow_id: string;
}

/** One workflow with its current document. */
export function workflowQuery(path: Named) {
  return queryOptions({
    queryKey: ["workflows", path.id, path.workflow_id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/tenants/{id}/workflows/{workflow_id}", { params: { path }, signal })),
  });
}

/** The newest workflows with a text in their names, to choose from. */
export function workflowChoicesQuery(id: string, search: string) {
  return queryOptions({
    queryKey: ["workflows", id, "choices", search],
    queryFn: async ({ signal }) => {
      const params = { path: { id }, query: { limit: MOST_FOUND, ...(search && { search }) } };
      return (await answer(api.GET("/api/v1/admin/tenants/{id}/workflows", { params, signal }))).data;
    },
    placeholderData: keepPreviousData,
  });
}

/** The versions of a workflow that are kept, newest first, without their documents. */
export function versionsQuery(path: Named) {
  return queryOptions({
    queryKey: ["workflows", path.id, path.workflow_id, "versions"],
    queryFn: async ({ signal }) => {
      const call = api.GET("/api/v1/admin/tenants/{id}/workflows/{workflow_id}/versions", {
        params: { path },
        signal,
      });
      return (await answer(call)).data;
    },
  });
}

/** One version with its document. It never changes. */
export function versionQuery(path: Named, version: number) {
  return queryOptions({
    queryKey: ["workflows", path.id, path.workflow_id, "versions", version],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/admin/tenants/{id}/workflows/{workflow_id}/versions/{version}", {
          params: { path: { ...path, version: String(version) } },
          signal,
        }),
      ),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Names of events that the tenant has templates, event types or workflows for. */
export function eventTypesQuery(id: string) {
  return queryOptions({
    queryKey: ["workflows", id, "event-types"],
    queryFn: async ({ signal }) => {
      const [types, workflows, languages] = await Promise.all([
        answer(
          api.GET("/api/v1/admin/tenants/{id}/event-types", {
            params: { path: { id }, query: { limit: MOST_CHOICES } },
            signal,
          }),
        ),
        answer(
          api.GET("/api/v1/admin/tenants/{id}/workflows", {
            params: { path: { id }, query: { limit: MOST_CHOICES } },
            signal,
          }),
        ),
        answer(
          api.GET("/api/v1/admin/template-languages", {
            params: { query: { tenant_id: id, limit: MOST_CHOICES } },
            signal,
          }),
        ),
      ]);
      const names = [
        ...types.data.map((one) => one.name),
        ...workflows.data.map((one) => one.event_type),
        ...languages.data.map((one) => one.event_type),
      ];
      return [...new Set(names)].sort();
    },
    staleTime: 30_000,
  });
}

/** The names under which templates of a channel are stored, those of the platform too. active: a version of it is. */
export function templateKeysQuery(id: string, channel: SendChannel) {
  return queryOptions({
    queryKey: ["templates", "keys", id, channel],
    queryFn: async ({ signal }) => {
      const query = { tenant_id: id, channel, platform: "true" as const, limit: MOST_CHOICES };
      const { data } = await answer(
        api.GET("/api/v1/admin/template-languages", { params: { query }, signal }),
      );
      const found = new Map<string, { key: string; isActive: boolean; templateId: string }>();
      for (const one of data) {
        const known = found.get(one.event_type);
        found.set(one.event_type, {
          key: one.event_type,
          isActive: (known?.isActive ?? false) || one.active !== null,
          templateId: known?.templateId ?? one.newest.id,
        });
      }
      return [...found.values()].sort((one, other) => one.key.localeCompare(other.key));
    },
    staleTime: 10_000,
  });
}

/** What is wrong with a document. */
export async function check(id: string, document: object, signal: AbortSignal): Promise<Fault[]> {
  const body = { document: document as Record<string, unknown> };
  return (
    await answer(
      api.POST("/api/v1/admin/tenants/{id}/workflow-check", { params: { path: { id } }, body, signal }),
    )
  ).faults;
}
