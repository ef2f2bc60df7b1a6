import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";
import { text } from "~/shell/search";
import { userQuery } from "./queries";

const usersRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/settings/users",
  validateSearch: (search: Record<string, unknown>): { search?: string | undefined } => ({
    search: text(search.search),
  }),
}).lazy(() => import("./UsersScreen").then((screen) => screen.lazyRoute));

const userRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/settings/users/$userId",
  loader: ({ context, params }) => context.queries.ensureQueryData(userQuery(params.userId)),
}).lazy(() => import("./UserScreen").then((screen) => screen.lazyRoute));

export const usersRoutes = [usersRoute, userRoute] as const;
