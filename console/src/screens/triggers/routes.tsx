import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";
import { text, word } from "~/shell/search";
import { STATES, type State } from "./states";

export const WORKFLOW_RUN_STATES = ["active", "waiting", "done", "canceled", "failed"] as const;

interface ListSearch {
  state?: State | undefined;
}

/** What is chosen at first: a workflow and a segment by their ids, a stored recipient by the tenant's id of them. */
export interface NewSearch {
  workflow?: string | undefined;
  segment?: string | undefined;
  recipient?: string | undefined;
}

interface OneSearch {
  /** Of the workflow runs in the list. */
  state?: (typeof WORKFLOW_RUN_STATES)[number] | undefined;
  /** The workflow run whose steps are shown. */
  run?: string | undefined;
}

const triggersRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/triggers",
  validateSearch: (search: Record<string, unknown>): ListSearch => ({ state: word(search.state, STATES) }),
}).lazy(() => import("./TriggersScreen").then((screen) => screen.lazyRoute));

const newTriggerRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/triggers/new",
  validateSearch: (search: Record<string, unknown>): NewSearch => ({
    workflow: text(search.workflow),
    segment: text(search.segment),
    recipient: text(search.recipient),
  }),
}).lazy(() => import("./NewTriggerScreen").then((screen) => screen.lazyRoute));

const triggerRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/triggers/$eventId",
  validateSearch: (search: Record<string, unknown>): OneSearch => ({
    state: word(search.state, WORKFLOW_RUN_STATES),
    run: text(search.run),
  }),
}).lazy(() => import("./TriggerScreen").then((screen) => screen.lazyRoute));

export const triggersRoutes = [triggersRoute, newTriggerRoute, triggerRoute] as const;
