import { EndpointName } from "~/screens/endpoints/EndpointName";
import type { Delivery, Event } from "./queries";
import { whom } from "./words";

/** Whom a delivery is for: an endpoint by its name, a person by the address or id. */
export function Whom({ delivery, event }: { delivery: Delivery; event: Event }) {
  return delivery.endpoint_id ? (
    <>
      endpoint <EndpointName tenantId={event.tenant_id} id={delivery.endpoint_id} />
    </>
  ) : (
    <bdi>{whom(delivery, event)}</bdi>
  );
}
