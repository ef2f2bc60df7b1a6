import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { EmptyState, Page } from "~/kit/Page";

/** Stands in place of an object that the tenant in sight does not have. what: "segment". list: leads to the others. */
export function NotOfTenant({ what, list }: { what: string; list: ReactNode }) {
  return (
    <Page title="Not found" actions={list}>
      <EmptyState
        title={`This tenant has no such ${what}`}
        text="It may have been deleted, its id may be mistyped, or it belongs to another tenant."
        action={
          <Link to="." search={(before) => ({ ...before, tenant: undefined })}>
            Look for it in all tenants
          </Link>
        }
      />
    </Page>
  );
}
