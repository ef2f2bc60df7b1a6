import type { QueryClient } from "@tanstack/react-query";
import { Problem } from "~/api/problem";
import { sessionQuery } from "~/api/session";

/** Ask to sign in again as soon as any call says that the session has ended. again: loads the route anew. */
export function leaveWhenSignedOut(queries: QueryClient, again: () => void): void {
  const look = (error: unknown) => {
    const isOver = error instanceof Problem && error.status === 401;
    // Without a session that was known, this is somebody who signs in.
    if (isOver && queries.getQueryData(sessionQuery.queryKey) !== undefined) {
      queries.removeQueries({ queryKey: sessionQuery.queryKey });
      again();
    }
  };
  queries.getQueryCache().subscribe((event) => {
    if (event.type === "updated" && event.action.type === "error") {
      look(event.action.error);
    }
  });
  queries.getMutationCache().subscribe((event) => {
    if (event.type === "updated" && event.action.type === "error") {
      look(event.action.error);
    }
  });
}
