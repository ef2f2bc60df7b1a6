import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const testSendRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/test-send",
}).lazy(() => import("./TestSendScreen").then((screen) => screen.lazyRoute));

export const testSendRoutes = [testSendRoute] as const;
