import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";
import { text, word } from "~/shell/search";
import { CHANNELS } from "../templates/routes";

/** version: the template version to test. */
interface TestSearch {
  channel?: (typeof CHANNELS)[number] | undefined;
  version?: string | undefined;
}

const testSendRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/test-send",
  validateSearch: (search: Record<string, unknown>): TestSearch => ({
    channel: word(search.channel, CHANNELS),
    version: text(search.version),
  }),
}).lazy(() => import("./TestSendScreen").then((screen) => screen.lazyRoute));

export const testSendRoutes = [testSendRoute] as const;
