import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";
import { text } from "~/shell/search";

/** The filters of the list: its URL's query. */
export interface RefusedFilters {
  status?: string | undefined;
  reason?: string | undefined;
  key_id?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
}

const refusedRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/refused",
  validateSearch: (search: Record<string, unknown>): RefusedFilters => ({
    status: text(search.status),
    reason: text(search.reason),
    key_id: text(search.key_id),
    since: text(search.since),
    until: text(search.until),
  }),
}).lazy(() => import("./RefusedScreen").then((screen) => screen.lazyRoute));

export const refusedRoutes = [refusedRoute] as const;
