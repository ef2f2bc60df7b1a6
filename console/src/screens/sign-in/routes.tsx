import { createRoute } from "@tanstack/react-router";
import { rootRoute } from "~/shell/roots";
import { text } from "~/shell/search";

const signInRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/sign-in",
  // next: where to go afterwards. failure: why the identity provider did not sign somebody in.
  validateSearch: (
    search: Record<string, unknown>,
  ): { next?: string | undefined; failure?: string | undefined } => ({
    next: text(search.next),
    failure: text(search.failure),
  }),
}).lazy(() => import("./SignInScreen").then((screen) => screen.lazyRoute));

export const signInRoutes = [signInRoute] as const;
