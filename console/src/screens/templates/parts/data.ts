import { queryOptions } from "@tanstack/react-query";
import { answer, api } from "~/api/client";
import type { Part } from "../data";

export function partQuery(id: string) {
  return queryOptions({
    queryKey: ["template-parts", "version", id],
    queryFn: ({ signal }) =>
      answer(api.GET("/api/v1/admin/template-parts/{id}", { params: { path: { id } }, signal })),
  });
}

/** The newest 100 versions of a layout or partial, newest first. */
export function partVersionsQuery(part: Pick<Part, "tenant_id" | "kind" | "name">) {
  return queryOptions({
    queryKey: ["template-parts", "versions", part.tenant_id, part.kind, part.name],
    queryFn: async ({ signal }) => {
      const query = {
        ...(part.tenant_id === null ? { platform: "true" as const } : { tenant_id: part.tenant_id }),
        kind: part.kind,
        name: part.name,
        limit: 100,
      };
      return (await answer(api.GET("/api/v1/admin/template-parts", { params: { query }, signal }))).data;
    },
  });
}
