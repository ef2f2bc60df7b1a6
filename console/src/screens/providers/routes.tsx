import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const providersRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/providers",
}).lazy(() => import("./ProvidersScreen").then((screen) => screen.lazyRoute));

export const providersRoutes = [providersRoute] as const;
