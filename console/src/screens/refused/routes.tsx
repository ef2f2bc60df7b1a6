import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const refusedRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/refused",
}).lazy(() => import("./RefusedScreen").then((screen) => screen.lazyRoute));

export const refusedRoutes = [refusedRoute] as const;
