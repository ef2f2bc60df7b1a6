import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { answer, api, type Schemas } from "~/api/client";

export type Segment = Schemas["Segment"];

const MOST = 1000;
// People come and go while a page is open.
const COUNT_EVERY_MS = 15_000;

/** All segments of a tenant, by their names. */
export function segmentsQuery(id: string) {
  return queryOptions({
    queryKey: ["segments", id],
    queryFn: async ({ signal }) => {
      const found: Segment[] = [];
      let cursor: string | undefined;
      do {
        const params = { path: { id }, query: { limit: 100, ...(cursor && { cursor }) } };
        const page = await answer(api.GET("/api/v1/admin/tenants/{id}/segments", { params, signal }));
        found.push(...page.data);
        cursor = page.next_cursor ?? undefined;
      } while (cursor && found.length < MOST);
      return found;
    },
    staleTime: 10_000,
  });
}

/** One segment. */
export function segmentQuery(id: string, segmentId: string) {
  return queryOptions({
    queryKey: ["segments", id, segmentId],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/admin/tenants/{id}/segments/{segment_id}", {
          params: { path: { id, segment_id: segmentId } },
          signal,
        }),
      ),
  });
}

/** How many people a filter matches now, and the first of them. filter: JSON. */
export function countQuery(id: string, filter: string, isOn: boolean) {
  return queryOptions({
    queryKey: ["segment-count", id, filter],
    queryFn: ({ signal }) =>
      answer(
        api.POST("/api/v1/admin/tenants/{id}/segment-count", {
          params: { path: { id } },
          body: { filter: JSON.parse(filter) },
          signal,
        }),
      ),
    enabled: isOn,
    placeholderData: keepPreviousData,
    refetchInterval: COUNT_EVERY_MS,
    retry: false,
  });
}

/** The tags of a tenant, the most frequent first. */
export function tagsQuery(id: string) {
  return queryOptions({
    queryKey: ["tags", id],
    queryFn: async ({ signal }) => {
      const params = { path: { id }, query: { limit: 1000 } };
      return (await answer(api.GET("/api/v1/admin/tenants/{id}/tags", { params, signal }))).tags;
    },
    staleTime: 10_000,
  });
}
