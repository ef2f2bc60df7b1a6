import { queryOptions } from "@tanstack/react-query";
import { answer, api, type Schemas } from "~/api/client";

export type Provider = Schemas["Provider"];
export type ProviderState = Schemas["ProviderState"];
export type ProviderKind = Schemas["ProviderKind"];
export type Setting = Schemas["ProviderSetting"];
export type Failure = Schemas["ProviderFailure"];

// Breakers open and close by themselves.
const STATE_EVERY_MS = 5_000;

/** The kinds of provider with their settings. They change with the version only. */
export const kindsQuery = queryOptions({
  queryKey: ["provider-kinds"],
  queryFn: async ({ signal }) => (await answer(api.GET("/api/v1/admin/provider-kinds", { signal }))).data,
  staleTime: Number.POSITIVE_INFINITY,
});

/** All providers of a tenant (at most 100), those that are tried first before. */
export function providersQuery(tenantId: string) {
  return queryOptions({
    queryKey: ["providers", { tenant: tenantId }],
    queryFn: async ({ signal }) => {
      const params = { query: { tenant_id: tenantId } };
      return (await answer(api.GET("/api/v1/admin/providers", { params, signal }))).data;
    },
  });
}

/** How all providers of a tenant are doing. */
export function statesQuery(tenantId: string) {
  return queryOptions({
    queryKey: ["providers", "states", { tenant: tenantId }],
    queryFn: async ({ signal }) => {
      const params = { path: { id: tenantId } };
      return (await answer(api.GET("/api/v1/admin/tenants/{id}/provider-states", { params, signal }))).data;
    },
    refetchInterval: STATE_EVERY_MS,
  });
}

/** One provider. */
export function providerQuery(id: string) {
  return queryOptions({
    queryKey: ["providers", id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/providers/{id}", { params: { path: { id } }, signal })),
  });
}

/** How one provider is doing. */
export function stateQuery(id: string) {
  return queryOptions({
    queryKey: ["providers", id, "state"],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/providers/{id}/state", { params: { path: { id } }, signal })),
    refetchInterval: STATE_EVERY_MS,
  });
}

/** Where a provider sends its delivery reports. */
export function callbackQuery(id: string) {
  return queryOptions({
    queryKey: ["providers", id, "callback"],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/providers/{id}/callback", { params: { path: { id } }, signal })),
  });
}

/** Return the kind of a provider, as its name in a URL. */
export function kindKey(one: { channel: string; kind: string }): string {
  return `${one.channel}.${one.kind}`;
}
