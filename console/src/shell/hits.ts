import { linkOptions } from "@tanstack/react-router";
import type { Schemas } from "~/api/client";

export type Hit = Schemas["SearchHit"];

/** Where a hit leads. */
export function targetOf(hit: Hit) {
  const id = hit.id ?? "";
  const search = { tenant: hit.tenant_id ?? undefined };
  switch (hit.kind) {
    case "event":
      return linkOptions({ to: "/messages/$eventId", params: { eventId: id }, search });
    case "delivery":
      return linkOptions({
        to: "/messages/$eventId",
        params: { eventId: hit.event_id ?? id },
        search: { ...search, delivery: id },
      });
    case "recipient":
      return linkOptions({ to: "/recipients/$recipientId", params: { recipientId: id }, search });
    case "workflow":
      return linkOptions({ to: "/workflows/$workflowId", params: { workflowId: id }, search });
    case "segment":
      return linkOptions({ to: "/segments/$segmentId", params: { segmentId: id }, search });
    case "schedule":
      return linkOptions({ to: "/schedules/$scheduleId", params: { scheduleId: id }, search });
    case "import":
      return linkOptions({ to: "/imports/$importId", params: { importId: id }, search });
    case "endpoint":
      return linkOptions({ to: "/endpoints/$endpointId", params: { endpointId: id }, search });
    case "template":
      return linkOptions({ to: "/templates/$templateId", params: { templateId: id }, search });
    case "provider":
      return linkOptions({ to: "/providers/$providerId", params: { providerId: id }, search });
    case "api_key":
      return linkOptions({
        to: "/tenants/$tenantId/keys",
        params: { tenantId: hit.tenant_id ?? "" },
        search,
      });
    case "tenant":
      return linkOptions({ to: "/tenants/$tenantId", params: { tenantId: id }, search });
  }
}
