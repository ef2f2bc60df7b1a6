import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";
import { text, word } from "~/shell/search";
import { type AuditFilters, KINDS, METHODS } from "./filters";

const auditRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/settings/audit",
  validateSearch: (search: Record<string, unknown>): AuditFilters => ({
    actor: text(search.actor),
    resource: text(search.resource),
    method: word(search.method, METHODS),
    kind: KINDS.find(({ kind }) => kind === search.kind)?.kind,
    since: text(search.since),
    until: text(search.until),
  }),
}).lazy(() => import("./AuditScreen").then((screen) => screen.lazyRoute));

export const auditRoutes = [auditRoute] as const;
