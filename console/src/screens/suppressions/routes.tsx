import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";
import { text, word } from "~/shell/search";

export const CHANNELS = ["EMAIL", "SMS"] as const;
export const REASONS = ["bounced", "complained", "unsubscribed", "manual"] as const;

/** The filters of the list. address: in full; it needs a tenant. */
export interface SuppressionsSearch {
  channel?: (typeof CHANNELS)[number] | undefined;
  reason?: (typeof REASONS)[number] | undefined;
  address?: string | undefined;
}

const suppressionsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/suppressions",
  validateSearch: (search: Record<string, unknown>): SuppressionsSearch => ({
    channel: word(search.channel, CHANNELS),
    reason: word(search.reason, REASONS),
    address: text(search.address),
  }),
}).lazy(() => import("./SuppressionsScreen").then((screen) => screen.lazyRoute));

export const suppressionsRoutes = [suppressionsRoute] as const;
