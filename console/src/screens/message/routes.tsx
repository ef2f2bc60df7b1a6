import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";
import { text, word } from "~/shell/search";

export const STATUSES = [
  "queued",
  "retrying",
  "skipped",
  "sent",
  "delivered",
  "failed",
  "dead",
  "bounced",
  "complained",
] as const;
type Status = (typeof STATUSES)[number];

/** delivery: the one whose content is shown. attempt: of it, as "replay.attempt". status: of the deliveries listed. */
export interface MessageSearch {
  delivery?: string | undefined;
  attempt?: string | undefined;
  status?: Status | undefined;
}

const messageRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/messages/$eventId",
  validateSearch: (search: Record<string, unknown>): MessageSearch => ({
    delivery: text(search.delivery),
    attempt: text(search.attempt),
    status: word(search.status, STATUSES),
  }),
}).lazy(() => import("./MessageScreen").then((screen) => screen.lazyRoute));

export const messageRoutes = [messageRoute] as const;
