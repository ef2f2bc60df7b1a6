import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";
import { text } from "~/shell/search";
import { tenantQuery } from "./queries";

const tenantsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/tenants",
}).lazy(() => import("./TenantsScreen").then((screen) => screen.lazyRoute));

const tenantRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/tenants/$tenantId",
  loader: ({ context, params }) => context.queries.ensureQueryData(tenantQuery(params.tenantId)),
}).lazy(() => import("./TenantScreen").then((screen) => screen.lazyRoute));

const overviewRoute = createRoute({
  getParentRoute: () => tenantRoute,
  path: "/",
}).lazy(() => import("./TenantOverview").then((screen) => screen.lazyRoute));

const settingsRoute = createRoute({
  getParentRoute: () => tenantRoute,
  path: "/settings",
}).lazy(() => import("./TenantSettings").then((screen) => screen.lazyRoute));

const keysRoute = createRoute({
  getParentRoute: () => tenantRoute,
  path: "/keys",
  // The key that a link leads to: its id, or "first".
  validateSearch: (search: Record<string, unknown>): { key?: string | undefined } => ({
    key: text(search.key),
  }),
}).lazy(() => import("./TenantKeys").then((screen) => screen.lazyRoute));

const securityRoute = createRoute({
  getParentRoute: () => tenantRoute,
  path: "/security",
}).lazy(() => import("./TenantSecurity").then((screen) => screen.lazyRoute));

const retentionRoute = createRoute({
  getParentRoute: () => tenantRoute,
  path: "/retention",
}).lazy(() => import("./TenantRetention").then((screen) => screen.lazyRoute));

const environmentsRoute = createRoute({
  getParentRoute: () => tenantRoute,
  path: "/environments",
}).lazy(() => import("./TenantEnvironments").then((screen) => screen.lazyRoute));

export const tenantsRoutes = [
  tenantsRoute,
  tenantRoute.addChildren([
    overviewRoute,
    settingsRoute,
    keysRoute,
    securityRoute,
    retentionRoute,
    environmentsRoute,
  ]),
] as const;
