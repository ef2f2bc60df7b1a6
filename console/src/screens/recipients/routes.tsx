import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";

const recipientsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/recipients",
}).lazy(() => import("./RecipientsScreen").then((screen) => screen.lazyRoute));

export const recipientsRoutes = [recipientsRoute] as const;
