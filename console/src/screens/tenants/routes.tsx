import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const tenantsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/tenants",
}).lazy(() => import("./TenantsScreen").then((screen) => screen.lazyRoute));

export const tenantsRoutes = [tenantsRoute] as const;
