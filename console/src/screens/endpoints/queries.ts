import { queryOptions } from "@tanstack/react-query";
import { answer, api, type Schemas } from "~/api/client";
import { Problem } from "~/api/problem";

export type Endpoint = Schemas["Endpoint"];
export type EndpointState = Schemas["EndpointState"];
export type NamedState = Schemas["NamedEndpointState"];
export type Delivery = Schemas["EndpointDelivery"];
export type Attempt = Schemas["Attempt"];
export type Replay = Schemas["Replay"];
export type EventType = Schemas["EventType"];
export type Application = Schemas["Application"];

// Of states and of the work that goes on in the background.
const STATE_EVERY_MS = 5_000;
const PROGRESS_EVERY_MS = 1_500;
// Lists of choices; beyond them the person enters the name.
const MOST_CHOICES = 100;
// Names that Clarion itself uses.
const RESERVED = new Set(["endpoint.test", "direct"]);
export const PAGE = 25;

/** An endpoint of a tenant, as the API's paths name it. */
export interface Named {
  id: string;
  endpoint_id: string;
}

/** One endpoint. */
export function endpointQuery(path: Named) {
  return queryOptions({
    queryKey: ["endpoints", path.endpoint_id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}", { params: { path }, signal })),
  });
}

/** How an endpoint is doing, and what waits. */
export function stateQuery(path: Named) {
  return queryOptions({
    queryKey: ["endpoints", path.endpoint_id, "state"],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}/state", { params: { path }, signal }),
      ),
    refetchInterval: STATE_EVERY_MS,
  });
}

/** A page of endpoints, each with its state. */
export async function pageWithStates(
  id: string,
  query: {
    limit: number;
    cursor?: string;
    environment_id?: string;
    application_id?: string;
    event_type_id?: string;
  },
  signal: AbortSignal,
): Promise<{ data: (Endpoint & { state: NamedState | undefined })[]; next_cursor: string | null }> {
  const params = { path: { id }, query };
  const page = await answer(api.GET("/api/v1/admin/tenants/{id}/endpoints", { params, signal }));
  if (page.data.length === 0) {
    return { data: [], next_cursor: page.next_cursor };
  }
  const named = { path: { id }, query: { endpoint_ids: page.data.map((one) => one.id).join(",") } };
  const states = await answer(
    api.GET("/api/v1/admin/tenants/{id}/endpoint-states", { params: named, signal }),
  );
  const byId = new Map(states.data.map((one) => [one.endpoint_id, one]));
  return {
    data: page.data.map((one) => ({ ...one, state: byId.get(one.id) })),
    next_cursor: page.next_cursor,
  };
}

/** The subscriptions of an endpoint, at most 1,000. */
export function subscriptionsQuery(path: Named) {
  return queryOptions({
    queryKey: ["endpoints", path.endpoint_id, "subscriptions"],
    queryFn: async ({ signal }) => {
      const call = api.GET("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}/subscriptions", {
        params: { path },
        signal,
      });
      return (await answer(call)).data;
    },
  });
}

/** The first event types of a tenant, for choices. */
export function eventTypesQuery(id: string) {
  return queryOptions({
    queryKey: ["event-types", id, "choices"],
    queryFn: async ({ signal }) => {
      const params = { path: { id }, query: { limit: MOST_CHOICES } };
      return (await answer(api.GET("/api/v1/admin/tenants/{id}/event-types", { params, signal }))).data;
    },
  });
}

/** Names that the tenant sends or has templates for, and that are no event type of its endpoints yet. */
export function knownTypesQuery(id: string) {
  return queryOptions({
    queryKey: ["event-types", id, "known"],
    queryFn: async ({ signal }) => {
      const query = { tenant_id: id, limit: MOST_CHOICES };
      const [types, languages, events] = await Promise.all([
        answer(
          api.GET("/api/v1/admin/tenants/{id}/event-types", {
            params: { path: { id }, query: { limit: MOST_CHOICES } },
            signal,
          }),
        ),
        answer(api.GET("/api/v1/admin/template-languages", { params: { query }, signal })),
        answer(api.GET("/api/v1/admin/events", { params: { query }, signal })),
      ]);
      const created = new Set(types.data.map((one) => one.name));
      const names = [...languages.data, ...events.data].map((one) => one.event_type);
      return [...new Set(names)].filter((name) => name && !created.has(name) && !RESERVED.has(name)).sort();
    },
  });
}

/** Create the event types of these names. */
export async function createTypes(id: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const params = { path: { id } };
    try {
      await answer(
        api.POST("/api/v1/admin/tenants/{id}/event-types", { params, body: { name, description: "" } }),
      );
    } catch (error) {
      if (!(error instanceof Problem && error.status === 409)) {
        throw error; // 409: somebody has created it meanwhile
      }
    }
  }
}

/** The environments of a tenant, at most ten. */
export function environmentsQuery(id: string) {
  return queryOptions({
    queryKey: ["environments", id],
    queryFn: async ({ signal }) => {
      const params = { path: { id } };
      return (await answer(api.GET("/api/v1/admin/tenants/{id}/environments", { params, signal }))).data;
    },
  });
}

/** The first applications of a tenant, for choices. */
export function applicationsQuery(id: string) {
  return queryOptions({
    queryKey: ["applications", id, "choices"],
    queryFn: async ({ signal }) => {
      const params = { path: { id }, query: { limit: MOST_CHOICES } };
      return (await answer(api.GET("/api/v1/admin/tenants/{id}/applications", { params, signal }))).data;
    },
  });
}

/** The attempts of a delivery, oldest first; none of one that the ledger has not read yet. */
export function attemptsQuery(id: string, deliveryId: string) {
  return queryOptions({
    queryKey: ["deliveries", deliveryId, "attempts"],
    queryFn: async ({ signal }) => {
      const params = { path: { id, delivery_id: deliveryId } };
      const call = api.GET("/api/v1/admin/tenants/{id}/deliveries/{delivery_id}/attempts", {
        params,
        signal,
      });
      try {
        return (await answer(call)).data;
      } catch (error) {
        if (error instanceof Problem && error.status === 404) {
          return [];
        }
        throw error;
      }
    },
  });
}

/** The newest delivery of an endpoint that did not arrive: why it fails. */
export function lastTroubleQuery(path: Named) {
  return queryOptions({
    queryKey: ["endpoints", path.endpoint_id, "last-trouble"],
    queryFn: async ({ signal }) => {
      const call = api.GET("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}/deliveries", {
        params: { path, query: { limit: PAGE } },
        signal,
      });
      return (await answer(call)).data.find((one) => one.status !== "sent" && one.attempts > 0) ?? null;
    },
  });
}

/** How far sending again has come; asked again until it has ended. */
export function replayQuery(id: string) {
  return queryOptions({
    queryKey: ["replays", id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/replays/{id}", { params: { path: { id } }, signal })),
    refetchInterval: ({ state }) =>
      state.data && state.data.state !== "running" ? false : PROGRESS_EVERY_MS,
  });
}
