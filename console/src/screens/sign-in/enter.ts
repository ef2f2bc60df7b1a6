import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { setCsrfToken } from "~/api/client";
import { type Session, sessionQuery } from "~/api/session";

const BASE = "/console";

/** Return a function that shows the console to who has just signed in. next: a path of the console. */
export function useEnter(): (session: Session, next?: string) => void {
  const queries = useQueryClient();
  const router = useRouter();
  return (session, next) => {
    keepSession(queries, session);
    router.history.push(BASE + pathOf(next));
  };
}

/** Return a path below /console; that of the messages if this is none. */
export function pathOf(next: string | undefined): string {
  const path = next?.startsWith("/") && !next.startsWith("//") ? next : "/messages";
  return path.startsWith(`${BASE}/`) ? path.slice(BASE.length) : path;
}

/** Forget what another person has seen, and keep who has signed in. */
function keepSession(queries: QueryClient, session: Session): void {
  queries.clear();
  setCsrfToken(session.csrf_token ?? "");
  queries.setQueryData(sessionQuery.queryKey, session);
}
