import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const settingsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/settings",
}).lazy(() => import("./SettingsScreen").then((screen) => screen.lazyRoute));

const alertsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/settings/alerts",
}).lazy(() => import("./AlertsScreen").then((screen) => screen.lazyRoute));

export const settingsRoutes = [settingsRoute, alertsRoute] as const;
