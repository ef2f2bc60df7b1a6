import { queryOptions } from "@tanstack/react-query";
import { answer, api, type Schemas } from "~/api/client";
import type { Tone } from "~/kit/Badge";

export type Import = Schemas["Import"];

const EVERY_MS = 1_000;

export const STATES: Readonly<Record<string, readonly [string, Tone]>> = {
  uploading: ["waits for its file", "wait"],
  running: ["under way", "calm"],
  done: ["done", "good"],
  canceled: ["canceled", "neutral"],
  failed: ["failed", "bad"],
};

/** Whether an import goes on. */
export function isOpen(one: Import): boolean {
  return one.state === "running" || one.state === "uploading";
}

/** One import; asked again until it has ended. */
export function importQuery(id: string, importId: string) {
  return queryOptions({
    queryKey: ["imports", id, importId],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/admin/tenants/{id}/imports/{import_id}", {
          params: { path: { id, import_id: importId } },
          signal,
        }),
      ),
    refetchInterval: ({ state }) => (state.data && !isOpen(state.data) ? false : EVERY_MS),
  });
}
