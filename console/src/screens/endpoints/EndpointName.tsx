import { useQuery } from "@tanstack/react-query";
import { endpointQuery } from "./queries";
import { nameOf } from "./words";

interface EndpointNameProps {
  tenantId: string;
  id: string;
  /** false: it may have been deleted long ago, so that it is not asked for. */
  isKept?: boolean;
}

/** What the tenant calls an endpoint; its id until that is known, and if it was deleted. */
export function EndpointName({ tenantId, id, isKept = true }: EndpointNameProps) {
  const { data } = useQuery({
    ...endpointQuery({ id: tenantId, endpoint_id: id }),
    enabled: isKept,
    retry: false,
  });
  return <bdi>{data ? nameOf(data) : id}</bdi>;
}
