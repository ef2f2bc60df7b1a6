import { queryOptions, useQuery } from "@tanstack/react-query";
import { answer, api, type Schemas, setCsrfToken } from "./client";

export type Session = Schemas["SignedIn"];
export type Role = Schemas["Membership"]["role"];

const RISING: readonly Role[] = ["viewer", "developer", "operator", "owner"];

/** Who is signed in. A 401 is no session. */
export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: async ({ signal }) => {
    const session = await answer(api.GET("/api/v1/admin/session", { signal }));
    setCsrfToken(session.csrf_token ?? "");
    return session;
  },
  staleTime: 60_000,
  retry: false,
});

/** Return whether the person has at least this role for a tenant; without one: in the whole installation. */
export function may(
  session: Session | undefined,
  role: Role,
  tenant?: { id: string; account_id: string } | undefined,
): boolean {
  return (session?.memberships ?? []).some(
    (one) =>
      RISING.indexOf(one.role) >= RISING.indexOf(role) &&
      ((one.account_id === null && one.tenant_id === null) ||
        (tenant !== undefined && (one.tenant_id === tenant.id || one.account_id === tenant.account_id))),
  );
}

/** Return the accounts whose people this person manages. null: everybody of the installation. */
export function managedAccounts(session: Session | undefined): readonly string[] | null {
  if (may(session, "owner")) {
    return null;
  }
  return (session?.memberships ?? []).flatMap((one) =>
    one.role === "owner" && one.account_id !== null ? [one.account_id] : [],
  );
}

/** The session of the frame: screens are shown to people who are signed in only. */
export function useSession(): Session | undefined {
  return useQuery(sessionQuery).data;
}
