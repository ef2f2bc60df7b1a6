import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { LinkButton } from "~/kit/Button";

const BASE = "/console";

interface ConsoleLinkProps {
  path: string;
  children: ReactNode;
}

/** A link to a page of the console that the API names, such as "/console/providers?tenant=…". */
export function ConsoleLink({ path, children }: ConsoleLinkProps) {
  const target = targetOf(path);
  return target ? <Link {...target}>{children}</Link> : children;
}

/** The same as a small button. */
export function ConsoleLinkButton({ path, children }: ConsoleLinkProps) {
  const target = targetOf(path);
  return target ? (
    <LinkButton {...target} size="small">
      {children}
    </LinkButton>
  ) : (
    children
  );
}

function targetOf(path: string) {
  const url = new URL(path, window.location.origin);
  if (url.origin !== window.location.origin || !url.pathname.startsWith(`${BASE}/`)) {
    return undefined;
  }
  // The API names pages by their paths, which the router's types do not know.
  return { to: url.pathname.slice(BASE.length) as "/", search: Object.fromEntries(url.searchParams) };
}
