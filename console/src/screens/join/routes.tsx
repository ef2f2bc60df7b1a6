import { createRoute } from "@tanstack/react-router";
import { rootRoute } from "~/shell/roots";

// The code of the link is the fragment of the URL, which no server and no log sees.
const joinRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/join",
}).lazy(() => import("./JoinScreen").then((screen) => screen.lazyRoute));

export const joinRoutes = [joinRoute] as const;
