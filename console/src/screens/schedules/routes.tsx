import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const schedulesRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/schedules",
}).lazy(() => import("./SchedulesScreen").then((screen) => screen.lazyRoute));

const newScheduleRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/schedules/new",
}).lazy(() => import("./NewScheduleScreen").then((screen) => screen.lazyRoute));

const scheduleRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/schedules/$scheduleId",
}).lazy(() => import("./ScheduleScreen").then((screen) => screen.lazyRoute));

export const schedulesRoutes = [schedulesRoute, newScheduleRoute, scheduleRoute] as const;
