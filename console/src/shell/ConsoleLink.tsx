import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

const BASE = "/console";

/** A link to a page of the console that the API names, such as "/console/providers?tenant=…". */
export function ConsoleLink({ path, children }: { path: string; children: ReactNode }) {
  const url = new URL(path, window.location.origin);
  if (url.origin !== window.location.origin || !url.pathname.startsWith(`${BASE}/`)) {
    return children;
  }
  const to = url.pathname.slice(BASE.length) as "/";
  return (
    <Link to={to} search={Object.fromEntries(url.searchParams)}>
      {children}
    </Link>
  );
}
