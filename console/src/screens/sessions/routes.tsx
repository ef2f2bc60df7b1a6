import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const sessionsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/settings/sessions",
}).lazy(() => import("./SessionsScreen").then((screen) => screen.lazyRoute));

export const sessionsRoutes = [sessionsRoute] as const;
