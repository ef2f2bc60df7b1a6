import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";
import { text } from "~/shell/search";

/** address: of stored recipients, in full. tag: theirs. q: a part of their id, name, address or number. */
export interface RecipientsSearch {
  address?: string | undefined;
  tag?: string | undefined;
  q?: string | undefined;
  segment?: string | undefined;
}

const recipientsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/recipients",
  validateSearch: (search: Record<string, unknown>): RecipientsSearch => ({
    address: text(search.address),
    tag: text(search.tag),
    q: text(search.q),
    segment: text(search.segment),
  }),
}).lazy(() => import("./RecipientsScreen").then((screen) => screen.lazyRoute));

const recipientRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/recipients/$recipientId",
}).lazy(() => import("./RecipientScreen").then((screen) => screen.lazyRoute));

export const recipientsRoutes = [recipientsRoute, recipientRoute] as const;
