import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";
import { text, word } from "~/shell/search";

export const STATES = ["active", "inactive"] as const;

export interface WorkflowsSearch {
  /** A part of the name. */
  q?: string | undefined;
  event_type?: string | undefined;
  state?: (typeof STATES)[number] | undefined;
}

const workflowsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/workflows",
  validateSearch: (search: Record<string, unknown>): WorkflowsSearch => ({
    q: text(search.q),
    event_type: text(search.event_type),
    state: word(search.state, STATES),
  }),
}).lazy(() => import("./WorkflowsScreen").then((screen) => screen.lazyRoute));

const newWorkflowRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/workflows/new",
  validateSearch: (search: Record<string, unknown>): { event_type?: string | undefined } => ({
    event_type: text(search.event_type),
  }),
}).lazy(() => import("./NewWorkflowScreen").then((screen) => screen.lazyRoute));

const workflowRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/workflows/$workflowId",
}).lazy(() => import("./WorkflowScreen").then((screen) => screen.lazyRoute));

const versionsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/workflows/$workflowId/versions",
  /** version: the one that is shown. against: the one that it is compared with; absent: the one before. */
  validateSearch: (
    search: Record<string, unknown>,
  ): { version?: string | undefined; against?: string | undefined } => ({
    version: text(search.version),
    against: text(search.against),
  }),
}).lazy(() => import("./VersionsScreen").then((screen) => screen.lazyRoute));

export const workflowsRoutes = [workflowsRoute, newWorkflowRoute, workflowRoute, versionsRoute] as const;
