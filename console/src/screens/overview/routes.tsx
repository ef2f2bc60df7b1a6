import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const overviewRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/overview",
}).lazy(() => import("./OverviewScreen").then((screen) => screen.lazyRoute));

export const overviewRoutes = [overviewRoute] as const;
