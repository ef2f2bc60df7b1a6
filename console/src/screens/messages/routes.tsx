import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const messagesRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/messages",
}).lazy(() => import("./MessagesScreen").then((screen) => screen.lazyRoute));

export const messagesRoutes = [messagesRoute] as const;
