import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";
import { text, word } from "~/shell/search";

export const TABS = ["deliveries", "subscriptions", "waiting", "receiver", "settings"] as const;
export type TabName = (typeof TABS)[number];

interface ListSearch {
  environment?: string | undefined;
  application?: string | undefined;
  event_type?: string | undefined;
}

interface OneSearch {
  tab?: TabName | undefined;
  status?: string | undefined;
  event_type?: string | undefined;
  /** The delivery whose attempts are shown. */
  delivery?: string | undefined;
}

const endpointsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/endpoints",
  validateSearch: (search: Record<string, unknown>): ListSearch => ({
    environment: text(search.environment),
    application: text(search.application),
    event_type: text(search.event_type),
  }),
}).lazy(() => import("./EndpointsScreen").then((screen) => screen.lazyRoute));

const newEndpointRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/endpoints/new",
}).lazy(() => import("./NewEndpointScreen").then((screen) => screen.lazyRoute));

const eventTypesRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/endpoints/event-types",
}).lazy(() => import("./EventTypesScreen").then((screen) => screen.lazyRoute));

const applicationsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/endpoints/applications",
}).lazy(() => import("./ApplicationsScreen").then((screen) => screen.lazyRoute));

const endpointRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/endpoints/$endpointId",
  validateSearch: (search: Record<string, unknown>): OneSearch => ({
    tab: word(search.tab, TABS),
    status: text(search.status),
    event_type: text(search.event_type),
    delivery: text(search.delivery),
  }),
}).lazy(() => import("./EndpointScreen").then((screen) => screen.lazyRoute));

export const endpointsRoutes = [
  endpointsRoute,
  newEndpointRoute,
  eventTypesRoute,
  applicationsRoute,
  endpointRoute,
] as const;
