import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const deadLettersRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/dead-letters",
}).lazy(() => import("./DeadLettersScreen").then((screen) => screen.lazyRoute));

export const deadLettersRoutes = [deadLettersRoute] as const;
