import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  redirect,
  retainSearchParams,
} from "@tanstack/react-router";
import { Problem } from "~/api/problem";
import { sessionQuery } from "~/api/session";
import { FailureAlone } from "./Failure";
import { Frame } from "./Frame";
import { text } from "./search";

/** What every route can use while it loads. */
interface Context {
  queries: QueryClient;
}

/** The route above all. Every URL may name the tenant in sight, and links keep it. */
export const rootRoute = createRootRouteWithContext<Context>()({
  validateSearch: (search: Record<string, unknown>): { tenant?: string | undefined } => ({
    tenant: text(search.tenant),
  }),
  search: { middlewares: [retainSearchParams(["tenant"])] },
  errorComponent: FailureAlone,
});

/** The frame around the screens of people who are signed in. Parent of all screens but sign-in and join. */
export const frameRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: "frame",
  component: Frame,
  errorComponent: FailureAlone,
  beforeLoad: async ({ context, location }) => {
    try {
      await context.queries.ensureQueryData(sessionQuery);
    } catch (error) {
      if (error instanceof Problem && error.status === 401) {
        throw redirect({ to: "/sign-in", search: { next: location.href } });
      }
      throw error;
    }
  },
});
