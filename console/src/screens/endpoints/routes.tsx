import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const endpointsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/endpoints",
}).lazy(() => import("./EndpointsScreen").then((screen) => screen.lazyRoute));

export const endpointsRoutes = [endpointsRoute] as const;
