import { createLazyRoute, Link } from "@tanstack/react-router";
import { answer, api } from "~/api/client";
import { useRows } from "~/api/pages";
import { may, useSession } from "~/api/session";
import { LinkButton } from "~/kit/Button";
import { EmptyState, Page } from "~/kit/Page";
import { List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { Sections } from "~/screens/recipients/Sections";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenant, useTenantId } from "~/shell/tenants";
import type { Import } from "./data";
import { StateBadge } from "./StateBadge";

export const lazyRoute = createLazyRoute("/frame/imports")({ component: ImportsScreen });

const EVERY_MS = 3_000;

function ImportsScreen() {
  const tenantId = useTenantId();
  const mayImport = may(useSession(), "operator", useTenant());
  return (
    <Page
      title="Imports"
      text="People from CSV files. What became of an import is kept for 30 days."
      actions={
        tenantId && mayImport ? (
          <LinkButton to="/imports/new" look="primary">
            Import people
          </LinkButton>
        ) : null
      }
    >
      <Sections />
      {tenantId ? (
        <Imports key={tenantId} tenantId={tenantId} mayImport={mayImport} />
      ) : (
        <TenantNeeded what="imports" />
      )}
    </Page>
  );
}

function Imports({ tenantId, mayImport }: { tenantId: string; mayImport: boolean }) {
  const list = useRows(
    ["imports", tenantId],
    (cursor, signal) =>
      answer(
        api.GET("/api/v1/admin/tenants/{id}/imports", {
          params: { path: { id: tenantId }, query: { ...(cursor && { cursor }) } },
          signal,
        }),
      ),
    { everyMs: EVERY_MS },
  );
  return (
    <List
      caption="Imports, newest first"
      list={list}
      rowKey={(row: Import) => row.id}
      empty={
        <EmptyState
          title="No import yet"
          text="A CSV file with a line of headers, such as one of a spreadsheet. You choose what each column is."
          action={
            mayImport ? (
              <LinkButton to="/imports/new" look="primary">
                Import people
              </LinkButton>
            ) : (
              <LinkButton to="/recipients">See the people</LinkButton>
            )
          }
        />
      }
      columns={[
        {
          header: "File",
          cell: (row) => (
            <Link to="/imports/$importId" params={{ importId: row.id }}>
              <bdi>{row.file_name || "A file without a name"}</bdi>
            </Link>
          ),
        },
        { header: "State", cell: (row) => <StateBadge of={row} />, isWhole: true },
        { header: "New", cell: (row) => row.created.toLocaleString(), isNumber: true },
        { header: "Changed", cell: (row) => row.updated.toLocaleString(), isNumber: true },
        { header: "Wrong rows", cell: (row) => row.faults.toLocaleString(), isNumber: true },
        { header: "Started", cell: (row) => <Time at={row.created_at} />, isWhole: true },
      ]}
    />
  );
}
