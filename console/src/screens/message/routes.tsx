import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const messageRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/messages/$eventId",
}).lazy(() => import("./MessageScreen").then((screen) => screen.lazyRoute));

export const messageRoutes = [messageRoute] as const;
