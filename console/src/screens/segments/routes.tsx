import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const segmentsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/segments",
}).lazy(() => import("./SegmentsScreen").then((screen) => screen.lazyRoute));

const newSegmentRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/segments/new",
}).lazy(() => import("./NewSegmentScreen").then((screen) => screen.lazyRoute));

const segmentRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/segments/$segmentId",
}).lazy(() => import("./SegmentScreen").then((screen) => screen.lazyRoute));

const tagsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/tags",
}).lazy(() => import("./TagsScreen").then((screen) => screen.lazyRoute));

export const segmentsRoutes = [segmentsRoute, newSegmentRoute, segmentRoute, tagsRoute] as const;
