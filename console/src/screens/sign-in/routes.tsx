import { createRoute } from "@tanstack/react-router";
import { rootRoute } from "~/shell/roots";
import { text } from "~/shell/search";

const signInRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/sign-in",
  // next: where to go afterwards.
  validateSearch: (search: Record<string, unknown>): { next?: string | undefined } => ({
    next: text(search.next),
  }),
}).lazy(() => import("./SignInScreen").then((screen) => screen.lazyRoute));

export const signInRoutes = [signInRoute] as const;
