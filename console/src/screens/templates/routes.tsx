import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const templatesRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/templates",
}).lazy(() => import("./TemplatesScreen").then((screen) => screen.lazyRoute));

export const templatesRoutes = [templatesRoute] as const;
