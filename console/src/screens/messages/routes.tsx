import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";
import { text, word } from "~/shell/search";

export const CHANNELS = ["EMAIL", "SMS", "PUSH", "WEBHOOK"] as const;
export const STATUSES = [
  "queued",
  "retrying",
  "sent",
  "delivered",
  "skipped",
  "failed",
  "dead",
  "bounced",
  "complained",
] as const;
export const PERIODS = ["1h", "24h", "7d", "30d"] as const;

/** The filter. last: the time until now; else from since until until. live: "on" or "off"; absent: as usual. */
export interface MessagesSearch {
  event_type?: string | undefined;
  recipient?: string | undefined;
  channel?: (typeof CHANNELS)[number] | undefined;
  status?: (typeof STATUSES)[number] | undefined;
  reason?: string | undefined;
  provider?: string | undefined;
  event_id?: string | undefined;
  last?: (typeof PERIODS)[number] | undefined;
  since?: string | undefined;
  until?: string | undefined;
  live?: "on" | "off" | undefined;
}

const messagesRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/messages",
  validateSearch: (search: Record<string, unknown>): MessagesSearch => ({
    event_type: text(search.event_type),
    recipient: text(search.recipient),
    channel: word(search.channel, CHANNELS),
    status: word(search.status, STATUSES),
    reason: text(search.reason),
    provider: text(search.provider),
    event_id: text(search.event_id),
    last: word(search.last, PERIODS),
    since: text(search.since),
    until: text(search.until),
    live: word(search.live, ["on", "off"]),
  }),
}).lazy(() => import("./MessagesScreen").then((screen) => screen.lazyRoute));

export const messagesRoutes = [messagesRoute] as const;
