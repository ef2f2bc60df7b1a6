import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const importsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/imports",
}).lazy(() => import("./ImportsScreen").then((screen) => screen.lazyRoute));

const newImportRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/imports/new",
}).lazy(() => import("./NewImportScreen").then((screen) => screen.lazyRoute));

const importRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/imports/$importId",
}).lazy(() => import("./ImportScreen").then((screen) => screen.lazyRoute));

export const importsRoutes = [importsRoute, newImportRoute, importRoute] as const;
