import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";
import { text } from "~/shell/search";

const providersRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/providers",
}).lazy(() => import("./ProvidersScreen").then((screen) => screen.lazyRoute));

const newProviderRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/providers/new",
  // The kind to create, as "EMAIL.smtp".
  validateSearch: (search: Record<string, unknown>): { kind?: string | undefined } => ({
    kind: text(search.kind),
  }),
}).lazy(() => import("./NewProviderScreen").then((screen) => screen.lazyRoute));

const providerRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/providers/$providerId",
}).lazy(() => import("./ProviderScreen").then((screen) => screen.lazyRoute));

export const providersRoutes = [providersRoute, newProviderRoute, providerRoute] as const;
