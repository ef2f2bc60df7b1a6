import { createRoute } from "@tanstack/react-router";
import { frameRoute } from "~/shell/roots";
import { text, word } from "~/shell/search";

export const CHANNELS = ["EMAIL", "SMS", "PUSH"] as const;
export const PART_KINDS = ["LAYOUT", "PARTIAL"] as const;

type Channel = (typeof CHANNELS)[number];

interface TemplatesSearch {
  channel?: Channel | undefined;
  state?: "active" | undefined;
  /** Absent: the templates of the tenant in sight; without one, all. */
  owner?: "platform" | "both" | undefined;
  q?: string | undefined;
}

/** event_type, channel, starter: of a new template. from: the version that a new language is begun with. */
interface NewTemplateSearch {
  event_type?: string | undefined;
  channel?: Channel | undefined;
  locale?: string | undefined;
  starter?: string | undefined;
  from?: string | undefined;
  /** The template is the platform's, and not the tenant's in sight. */
  platform?: true | undefined;
}

interface PartsSearch {
  kind?: (typeof PART_KINDS)[number] | undefined;
}

const templatesRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/templates",
  validateSearch: (search: Record<string, unknown>): TemplatesSearch => ({
    channel: word(search.channel, CHANNELS),
    state: word(search.state, ["active"]),
    owner: word(search.owner, ["platform", "both"]),
    q: text(search.q),
  }),
}).lazy(() => import("./TemplatesScreen").then((screen) => screen.lazyRoute));

// A template that has no version yet, or a further language of one that has.
const newTemplateRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/templates/new",
  validateSearch: (search: Record<string, unknown>): NewTemplateSearch => ({
    event_type: text(search.event_type),
    channel: word(search.channel, CHANNELS),
    locale: text(search.locale),
    starter: text(search.starter),
    from: text(search.from),
    platform: search.platform === true ? true : undefined,
  }),
}).lazy(() => import("./editor/NewTemplateScreen").then((screen) => screen.lazyRoute));

const templateRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/templates/$templateId",
  validateSearch: (search: Record<string, unknown>): { against?: string | undefined } => ({
    against: text(search.against),
  }),
}).lazy(() => import("./TemplateScreen").then((screen) => screen.lazyRoute));

const editRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/templates/$templateId/edit",
}).lazy(() => import("./editor/EditTemplateScreen").then((screen) => screen.lazyRoute));

const partsRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/templates/parts",
  validateSearch: (search: Record<string, unknown>): PartsSearch => ({ kind: word(search.kind, PART_KINDS) }),
}).lazy(() => import("./parts/PartsScreen").then((screen) => screen.lazyRoute));

const newPartRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/templates/parts/new",
  validateSearch: (search: Record<string, unknown>): PartsSearch & { name?: string | undefined } => ({
    kind: word(search.kind, PART_KINDS),
    name: text(search.name),
  }),
}).lazy(() => import("./parts/NewPartScreen").then((screen) => screen.lazyRoute));

const partRoute = createRoute({
  getParentRoute: () => frameRoute,
  path: "/templates/parts/$partId",
}).lazy(() => import("./parts/PartScreen").then((screen) => screen.lazyRoute));

export const templatesRoutes = [
  templatesRoute,
  newTemplateRoute,
  templateRoute,
  editRoute,
  partsRoute,
  newPartRoute,
  partRoute,
] as const;
