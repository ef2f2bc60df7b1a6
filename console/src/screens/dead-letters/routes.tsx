import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";
import { text, word } from "~/shell/search";
import { CHANNELS, type DeadLetterFilters } from "./filters";

const deadLettersRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/dead-letters",
  validateSearch: (search: Record<string, unknown>): DeadLetterFilters => ({
    channel: word(search.channel, CHANNELS),
    reason: text(search.reason),
    provider: text(search.provider),
    event_type: text(search.event_type),
    endpoint_id: text(search.endpoint_id),
    since: text(search.since),
    until: text(search.until),
  }),
}).lazy(() => import("./DeadLettersScreen").then((screen) => screen.lazyRoute));

export const deadLettersRoutes = [deadLettersRoute] as const;
