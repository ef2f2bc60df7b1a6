import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const settingsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/settings",
}).lazy(() => import("./SettingsScreen").then((screen) => screen.lazyRoute));

export const settingsRoutes = [settingsRoute] as const;
