import { answer, api } from "~/api/client";
import type { Template } from "../data";
import type { Content, Place } from "./draft";

/** Store a version. Throws Problem; one with `newer` if somebody has saved a version after basedOn. */
export function saveVersion(
  place: Place,
  content: Content,
  options: { basedOn: string | null; activate: boolean; force: boolean },
): Promise<Template> {
  const body = {
    ...place,
    ...content,
    tenant_id: place.tenant_id ?? "",
    locale: place.locale ?? "",
    based_on: options.basedOn ?? "",
    activate: options.activate,
    force: options.force,
  };
  return answer(api.POST("/api/v1/admin/templates", { body }));
}
