import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { answer, api } from "~/api/client";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Card } from "~/kit/Page";
import type { Hit } from "./hits";
import { TenantNeeded } from "./TenantNeeded";
import { useOwnTenant } from "./tenants";

interface FindTenantProps {
  kind: Extract<Hit["kind"], "endpoint" | "recipient" | "workflow" | "segment" | "schedule" | "import">;
  id: string;
  /** What tenants have of it, such as "endpoints". */
  what: string;
}

/**
 * Stands on the page of an object whose URL names no tenant. Puts the only tenant in sight that has an object with this
 * id; if several have one, or it is not known, the person chooses.
 */
export function FindTenant({ kind, id, what }: FindTenantProps) {
  const query = useQuery({
    queryKey: ["search", id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/search", { params: { query: { q: id } }, signal })),
  });
  const owners = new Map<string, string>();
  for (const hit of query.data?.data ?? []) {
    if (hit.kind === kind && hit.id === id && hit.tenant_id) {
      owners.set(hit.tenant_id, hit.tenant_name ?? hit.tenant_id);
    }
  }
  const [only] = owners.keys();
  const isFound = owners.size === 1;
  useOwnTenant(isFound ? only : undefined);
  if (query.error) {
    return <ErrorNote error={query.error} onRetry={() => void query.refetch()} />;
  }
  if (query.isPending || isFound) {
    return <Loading />;
  }
  if (owners.size === 0) {
    return <TenantNeeded what={what} />;
  }
  return (
    <Card title="Choose a tenant">
      <p>Several tenants know this id.</p>
      <ul>
        {[...owners].map(([tenant, name]) => (
          <li key={tenant}>
            <Link to="." search={(before) => ({ ...before, tenant })}>
              <bdi>{name}</bdi>
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}
