import { queryOptions, useQuery } from "@tanstack/react-query";
import { answer, api, type Schemas } from "./client";

export type Reason = Schemas["Reason"];

/** What the words of reasons mean, and what to do about each. It changes with the version only. */
export const reasonsQuery = queryOptions({
  queryKey: ["reasons"],
  queryFn: async ({ signal }) => {
    const { data } = await answer(api.GET("/api/v1/admin/reasons", { signal }));
    return new Map(data.map((one) => [one.reason, one]));
  },
  staleTime: Number.POSITIVE_INFINITY,
});

/** Return a function from the word of a reason to what it means; undefined: a word of another version. */
export function useReasons(): (word: string | null | undefined) => Reason | undefined {
  const known = useQuery(reasonsQuery).data;
  return (word) => (word ? known?.get(word) : undefined);
}
