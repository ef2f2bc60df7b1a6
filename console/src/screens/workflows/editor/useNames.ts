import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { segmentsQuery } from "~/screens/segments/data";
import { endpointsQuery } from "../choices";
import type { Names } from "../words";

/** Names of what documents have by their ids. An id stands for what is not known. */
export function useNames(tenantId: string): Names {
  const endpoints = useQuery(endpointsQuery(tenantId)).data;
  const segments = useQuery(segmentsQuery(tenantId)).data;
  return useMemo(() => {
    const byId = new Map(endpoints?.map((one) => [one.id, one.description || one.url || one.id]));
    return {
      endpoint: (id) => byId.get(id) ?? id,
      segment: (id) => segments?.find((one) => one.id === id)?.name ?? id,
    };
  }, [endpoints, segments]);
}
