import { createLazyRoute, Link, useNavigate } from "@tanstack/react-router";
import { answer, api } from "~/api/client";
import { useRows } from "~/api/pages";
import { LinkButton } from "~/kit/Button";
import { SelectField } from "~/kit/Field";
import { countSet, EmptyState, Filters, Page } from "~/kit/Page";
import { List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { useTenantId, useTenantName } from "~/shell/tenants";
import type { Part } from "../data";

export const lazyRoute = createLazyRoute("/frame/templates/parts")({ component: PartsScreen });

function PartsScreen() {
  const tenantId = useTenantId();
  const { kind } = lazyRoute.useSearch();
  const navigate = useNavigate();
  const nameOf = useTenantName();
  const list = useRows<Part>(["template-parts", "list", tenantId, kind], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/template-parts", {
        params: {
          query: {
            newest: "true",
            ...(tenantId && { tenant_id: tenantId, platform: "true" as const }),
            ...(kind && { kind }),
            ...(cursor && { cursor }),
          },
        },
        signal,
      }),
    ),
  );
  return (
    <Page
      title="Layouts and partials"
      text="What templates share: a layout surrounds the bodies of e-mails, a partial is inserted by its name."
      actions={
        <LinkButton to="/templates/parts/new" look="primary">
          New layout or partial
        </LinkButton>
      }
    >
      <Filters active={countSet(kind)}>
        <SelectField
          label="Kind"
          value={kind ?? ""}
          onChange={(event) =>
            void navigate({
              to: "/templates/parts",
              search: { kind: event.target.value === "" ? undefined : (event.target.value as Part["kind"]) },
              replace: true,
            })
          }
        >
          <option value="">All</option>
          <option value="LAYOUT">Layouts</option>
          <option value="PARTIAL">Partials</option>
        </SelectField>
      </Filters>
      <List
        caption="Layouts and partials"
        list={list}
        rowKey={(row) => row.id}
        columns={[
          {
            header: "Name",
            cell: (row) => (
              <Link to="/templates/parts/$partId" params={{ partId: row.id }}>
                {row.name}
              </Link>
            ),
          },
          { header: "Kind", cell: (row) => (row.kind === "LAYOUT" ? "Layout" : "Partial") },
          { header: "Owner", cell: (row) => (row.tenant_id === null ? "Platform" : nameOf(row.tenant_id)) },
          {
            header: "Newest",
            cell: (row) => (
              <>
                version {row.version}, <Time at={row.created_at} />
              </>
            ),
          },
        ]}
        empty={
          <EmptyState
            title="No layouts and no partials"
            text="Put what all your mails have in common, such as header and footer, into a layout."
            action={
              <LinkButton to="/templates/parts/new" search={{ kind: "LAYOUT" }} look="primary">
                Write a layout
              </LinkButton>
            }
          />
        }
      />
    </Page>
  );
}
