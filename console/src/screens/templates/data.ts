import { queryOptions } from "@tanstack/react-query";
import { answer, api, type Schemas } from "~/api/client";

export type Template = Schemas["Template"];
export type Language = Schemas["TemplateLanguage"];
export type Part = Schemas["Part"];
export type PartKind = "LAYOUT" | "PARTIAL";
export type Channel = "EMAIL" | "SMS" | "PUSH";
export type Vocabulary = Schemas["Vocabulary"];
export type Preview = Schemas["Preview"];
export type Variables = Record<string, unknown>;

/** Named data for previews and test sends. */
export interface Sample {
  id: string;
  name: string;
  variables: Variables;
  updated_at: string;
}

// Of a template's versions, languages, and of the parts that an editor offers.
const MOST = 300;

interface Page<T> {
  data: T[];
  next_cursor: string | null;
}

async function all<T>(read: (cursor: string | undefined) => Promise<Page<T>>): Promise<T[]> {
  const found: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    found.push(...page.data);
    cursor = page.next_cursor ?? undefined;
  } while (cursor && found.length < MOST);
  return found;
}

export function templateQuery(id: string) {
  return queryOptions({
    queryKey: ["templates", "version", id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/templates/{id}", { params: { path: { id } }, signal })),
    // A version changes in one thing only: whether it is active.
    staleTime: 2_000,
  });
}

/** Which versions belong together: those of one tenant (null: the platform), event type and channel. */
export interface TemplateKey {
  tenant_id: string | null;
  event_type: string;
  channel: Channel;
}

/** The newest versions of a template in all languages, at most 300, newest first. */
export function versionsQuery(key: TemplateKey) {
  return queryOptions({
    queryKey: ["templates", "versions", key.tenant_id, key.event_type, key.channel],
    queryFn: ({ signal }) =>
      all((cursor) =>
        answer(
          api.GET("/api/v1/admin/templates", {
            params: {
              query: {
                ...(key.tenant_id === null ? { platform: "true" as const } : { tenant_id: key.tenant_id }),
                event_type: key.event_type,
                channel: key.channel,
                limit: 100,
                ...(cursor && { cursor }),
              },
            },
            signal,
          }),
        ),
      ),
  });
}

/** The newest versions of all layouts and partials that a tenant's templates can use; its own come first. */
export function partsQuery(tenantId: string | null) {
  return queryOptions({
    queryKey: ["template-parts", "usable", tenantId],
    queryFn: async ({ signal }) => {
      const found = await all<Part>((cursor) =>
        answer(
          api.GET("/api/v1/admin/template-parts", {
            params: {
              query: {
                platform: "true",
                newest: "true",
                ...(tenantId !== null && { tenant_id: tenantId }),
                limit: 100,
                ...(cursor && { cursor }),
              },
            },
            signal,
          }),
        ),
      );
      const own = new Set(
        found.filter((one) => one.tenant_id !== null).map((one) => `${one.kind}/${one.name}`),
      );
      return found.filter((one) => one.tenant_id !== null || !own.has(`${one.kind}/${one.name}`));
    },
  });
}

export const vocabularyQuery = queryOptions({
  queryKey: ["template-helpers"],
  queryFn: ({ signal }) => answer(api.GET("/api/v1/admin/template-helpers", { signal })),
  staleTime: Number.POSITIVE_INFINITY,
});

export function samplesQuery(tenantId: string | null, eventType: string) {
  return queryOptions({
    queryKey: ["template-samples", tenantId, eventType],
    queryFn: async ({ signal }): Promise<Sample[]> => {
      const query = { event_type: eventType, limit: 100, ...(tenantId !== null && { tenant_id: tenantId }) };
      const page = await answer(api.GET("/api/v1/admin/template-samples", { params: { query }, signal }));
      return page.data;
    },
    enabled: eventType !== "",
  });
}

/** Return the last payload of an event type; null: there is none that is stored. */
export async function lastPayload(
  tenantId: string,
  eventType: string,
): Promise<{ variables: Variables; accepted_at: string } | null> {
  const query = { tenant_id: tenantId, event_type: eventType };
  const last = await answer(api.GET("/api/v1/admin/template-samples/last", { params: { query } }));
  return last.variables && last.accepted_at
    ? { variables: last.variables, accepted_at: last.accepted_at }
    : null;
}

/** Return the name of a language in the browser's own, with its tag; null is the default. */
export function languageName(locale: string | null): string {
  if (locale === null) {
    return "Default language";
  }
  try {
    return `${LANGUAGES.of(locale) ?? locale} (${locale})`;
  } catch {
    return locale;
  }
}

const LANGUAGES = new Intl.DisplayNames(undefined, { type: "language" });
