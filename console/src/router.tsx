import type { QueryClient } from "@tanstack/react-query";
import { createRoute, createRouter, redirect } from "@tanstack/react-router";
import { Loading } from "~/kit/Loading";
import { auditRoutes } from "~/screens/audit/routes";
import { deadLettersRoutes } from "~/screens/dead-letters/routes";
import { endpointsRoutes } from "~/screens/endpoints/routes";
import { importsRoutes } from "~/screens/imports/routes";
import { joinRoutes } from "~/screens/join/routes";
import { messageRoutes } from "~/screens/message/routes";
import { messagesRoutes } from "~/screens/messages/routes";
import { overviewRoutes } from "~/screens/overview/routes";
import { providersRoutes } from "~/screens/providers/routes";
import { recipientsRoutes } from "~/screens/recipients/routes";
import { refusedRoutes } from "~/screens/refused/routes";
import { schedulesRoutes } from "~/screens/schedules/routes";
import { segmentsRoutes } from "~/screens/segments/routes";
import { sessionsRoutes } from "~/screens/sessions/routes";
import { settingsRoutes } from "~/screens/settings/routes";
import { signInRoutes } from "~/screens/sign-in/routes";
import { suppressionsRoutes } from "~/screens/suppressions/routes";
import { templatesRoutes } from "~/screens/templates/routes";
import { tenantsRoutes } from "~/screens/tenants/routes";
import { testSendRoutes } from "~/screens/test-send/routes";
import { triggersRoutes } from "~/screens/triggers/routes";
import { usersRoutes } from "~/screens/users/routes";
import { workflowsRoutes } from "~/screens/workflows/routes";
import { Failure, NotFound } from "~/shell/Failure";
import { frameRoute, rootRoute } from "~/shell/roots";

const startRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/messages" });
  },
});

// In the frame, so that somebody who followed a wrong link can go on.
const otherRoute = createRoute({ getParentRoute: () => frameRoute, path: "$", component: NotFound });

// Each area of the console names its own paths; see the folders below screens/.
const routeTree = rootRoute.addChildren([
  startRoute,
  ...signInRoutes,
  ...joinRoutes,
  frameRoute.addChildren([
    ...messagesRoutes,
    ...messageRoutes,
    ...triggersRoutes,
    ...overviewRoutes,
    ...deadLettersRoutes,
    ...refusedRoutes,
    ...workflowsRoutes,
    ...templatesRoutes,
    ...schedulesRoutes,
    ...testSendRoutes,
    ...providersRoutes,
    ...endpointsRoutes,
    ...recipientsRoutes,
    ...segmentsRoutes,
    ...importsRoutes,
    ...suppressionsRoutes,
    ...tenantsRoutes,
    ...settingsRoutes,
    ...usersRoutes,
    ...sessionsRoutes,
    ...auditRoutes,
    otherRoute,
  ]),
]);

/** Return the router of the console, whose paths begin with /console. */
export function consoleRouter(queries: QueryClient) {
  return createRouter({
    routeTree,
    basepath: "/console",
    context: { queries },
    scrollRestoration: true,
    defaultErrorComponent: Failure,
    defaultNotFoundComponent: NotFound,
    defaultPendingComponent: Loading,
  });
}

/** Fetch the script of the screen at the present URL at once: the router does so only after it knows who is signed in. */
export function fetchScreen(router: ReturnType<typeof consoleRouter>): void {
  const [routes] = router.getMatchedRoutes(router.latestLocation.pathname);
  for (const route of routes) {
    // The router fetches again what failed, and shows why.
    router.loadRouteChunk(route)?.catch(() => undefined);
  }
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof consoleRouter>;
  }
}
