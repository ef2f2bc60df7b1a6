import {
  type QueryClient,
  queryOptions,
  useMutation,
  useQueryClient,
  useSuspenseQuery,
} from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { answer, api, type Schemas } from "~/api/client";
import { may, type Role, useSession } from "~/api/session";
import { notify } from "~/kit/Toast";

export type Tenant = Schemas["Tenant"];
export type TenantChange = Schemas["TenantChange"];
export type Key = Schemas["Key"];
export type Environment = Schemas["Environment"];

/** One tenant with its settings. */
export function tenantQuery(id: string) {
  return queryOptions({
    queryKey: ["tenants", id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/tenants/{id}", { params: { path: { id } }, signal })),
  });
}

/** The tenant whose page is open. The page's route has loaded it. */
export function useOpenTenant(): Tenant {
  const { tenantId } = useParams({ from: "/frame/tenants/$tenantId" });
  return useSuspenseQuery(tenantQuery(tenantId)).data;
}

/** Return whether the person may do what needs this role for the tenant. */
export function useMayChange(role: Role, tenant: Tenant): boolean {
  return may(useSession(), role, tenant);
}

/** Keep what a response says of a tenant, and read the lists with it again. */
export function keepTenant(queries: QueryClient, tenant: Tenant): void {
  queries.setQueryData(tenantQuery(tenant.id).queryKey, tenant);
  void queries.invalidateQueries({ queryKey: ["tenants"], exact: true });
  void queries.invalidateQueries({ queryKey: ["tenants", "list"] });
}

/** Change fields of a tenant. done: said in the corner. */
export function useTenantChange(tenant: Tenant, done = "Saved.") {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: TenantChange) =>
      answer(api.PATCH("/api/v1/admin/tenants/{id}", { params: { path: { id: tenant.id } }, body })),
    onSuccess: (changed) => {
      keepTenant(queries, changed);
      notify(done);
    },
  });
}

/** The key of the query for a tenant's further API keys. */
export function keysKey(tenantId: string) {
  return ["tenants", tenantId, "keys"] as const;
}

/** The key of the query for a tenant's environments. */
export function environmentsKey(tenantId: string) {
  return ["tenants", tenantId, "environments"] as const;
}
