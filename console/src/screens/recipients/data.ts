import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { answer, api, type Schemas } from "~/api/client";
import { Problem } from "~/api/problem";

export type Stored = Schemas["StoredRecipientWithGroups"];

// Of a list to choose from: a search finds the others.
export const MOST_CHOICES = 20;

/** What is stored of a person; null: nothing, because people need not be stored. */
export function recipientQuery(tenantId: string, recipientId: string) {
  return queryOptions({
    queryKey: ["recipients", tenantId, "one", recipientId],
    queryFn: async ({ signal }): Promise<Stored | null> => {
      try {
        return await answer(
          api.GET("/api/v1/admin/tenants/{id}/recipients/{recipient_id}", {
            params: { path: { id: tenantId, recipient_id: recipientId } },
            signal,
          }),
        );
      } catch (failure) {
        if (failure instanceof Problem && failure.status === 404) {
          return null;
        }
        throw failure;
      }
    },
  });
}

/** The first stored recipients with a text in their id, name, address or number. */
export function recipientChoicesQuery(id: string, search: string) {
  return queryOptions({
    queryKey: ["recipients", id, "choices", search],
    queryFn: async ({ signal }) => {
      const params = { path: { id }, query: { limit: MOST_CHOICES, ...(search && { search }) } };
      return (await answer(api.GET("/api/v1/admin/tenants/{id}/recipients", { params, signal }))).data;
    },
    placeholderData: keepPreviousData,
  });
}

/** The first groups with a text in their key or name. */
export function groupChoicesQuery(id: string, search: string) {
  return queryOptions({
    queryKey: ["groups", id, "choices", search],
    queryFn: async ({ signal }) => {
      const params = { path: { id }, query: { limit: MOST_CHOICES, ...(search && { search }) } };
      return (await answer(api.GET("/api/v1/admin/tenants/{id}/groups", { params, signal }))).data;
    },
    placeholderData: keepPreviousData,
  });
}
