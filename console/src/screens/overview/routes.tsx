import { createRoute } from "@tanstack/react-router";
import { CHANNELS, PERIODS } from "~/screens/messages/routes";
import { frameRoute } from "~/shell/roots";
import { word } from "~/shell/search";

export interface OverviewSearch {
  last?: (typeof PERIODS)[number] | undefined;
  channel?: (typeof CHANNELS)[number] | undefined;
}

const overviewRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/overview",
  validateSearch: (search: Record<string, unknown>): OverviewSearch => ({
    last: word(search.last, PERIODS),
    channel: word(search.channel, CHANNELS),
  }),
}).lazy(() => import("./OverviewScreen").then((screen) => screen.lazyRoute));

export const overviewRoutes = [overviewRoute] as const;
