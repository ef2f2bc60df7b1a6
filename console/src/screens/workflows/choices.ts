import { queryOptions } from "@tanstack/react-query";
import { answer, api } from "~/api/client";
import type { SendChannel } from "./document";

const MOST = 100;

/** The first endpoints of a tenant, to choose from. */
export function endpointsQuery(id: string) {
  return queryOptions({
    queryKey: ["endpoints", id, "choices"],
    queryFn: async ({ signal }) => {
      const params = { path: { id }, query: { limit: MOST } };
      return (await answer(api.GET("/api/v1/admin/tenants/{id}/endpoints", { params, signal }))).data;
    },
    staleTime: 30_000,
  });
}

/** The numbers of the newest versions of a template, newest first. */
export function templateVersionsQuery(id: string, channel: SendChannel, key: string) {
  return queryOptions({
    queryKey: ["templates", "numbers", id, channel, key],
    queryFn: async ({ signal }) => {
      const query = { tenant_id: id, channel, event_type: key, limit: MOST };
      const { data } = await answer(api.GET("/api/v1/admin/templates", { params: { query }, signal }));
      return [...new Set(data.map((one) => one.version))].sort((one, other) => other - one);
    },
    enabled: key !== "",
    staleTime: 10_000,
  });
}
