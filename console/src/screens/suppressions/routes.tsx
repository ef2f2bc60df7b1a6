import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const suppressionsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/suppressions",
}).lazy(() => import("./SuppressionsScreen").then((screen) => screen.lazyRoute));

export const suppressionsRoutes = [suppressionsRoute] as const;
