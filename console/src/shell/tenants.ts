import { queryOptions, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect } from "react";
import { answer, api, type Schemas } from "~/api/client";

export type Tenant = Schemas["Tenant"];

// Names beyond are not known here: their ids are shown, and the switcher takes an id.
const MOST = 1000;

/** All tenants that the person may see, newest first, at most 1,000. */
export const tenantsQuery = queryOptions({
  queryKey: ["tenants"],
  queryFn: async ({ signal }) => {
    const found: Tenant[] = [];
    let cursor: string | undefined;
    do {
      const query = { limit: 100, ...(cursor && { cursor }) };
      const page = await answer(api.GET("/api/v1/admin/tenants", { params: { query }, signal }));
      found.push(...page.data);
      cursor = page.next_cursor ?? undefined;
    } while (cursor && found.length < MOST);
    return found;
  },
  staleTime: 30_000,
});

/** The id of the tenant in sight; undefined: all that the person may see. */
export function useTenantId(): string | undefined {
  return useSearch({ strict: false }).tenant;
}

/** The tenant in sight; undefined also while it is loaded. */
export function useTenant(): Tenant | undefined {
  const id = useTenantId();
  return useQuery(tenantsQuery).data?.find((one) => one.id === id);
}

/** Return a function from a tenant's id to its name. */
export function useTenantName(): (id: string) => string {
  const names = useQuery(tenantsQuery).data;
  return (id) => names?.find((one) => one.id === id)?.name ?? id;
}

/**
 * Put the tenant of the object that a page shows in sight, also if its URL names none or another one. Undefined or null:
 * the object is loading, or belongs to the whole platform.
 */
export function useOwnTenant(tenantId: string | null | undefined): void {
  const inSight = useTenantId();
  const navigate = useNavigate();
  useEffect(() => {
    if (tenantId && tenantId !== inSight) {
      void navigate({
        to: ".",
        search: (before) => ({ ...before, tenant: tenantId }),
        hash: true,
        replace: true,
        resetScroll: false,
      });
    }
  }, [tenantId, inSight, navigate]);
}
