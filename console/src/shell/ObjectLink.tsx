import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

/** A link to the page of an object of another area, such as `/providers/<id>`. The tenant in sight stays. */
export function ObjectLink({ area, id, children }: { area: ObjectArea; id: string; children: ReactNode }) {
  // The areas own their routes, and only the whole console knows all of them.
  return <Link to={`/${area}/${encodeURIComponent(id)}` as "/"}>{children}</Link>;
}

type ObjectArea = "providers" | "endpoints" | "templates" | "tenants" | "recipients";
