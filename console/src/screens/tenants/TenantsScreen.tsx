import { createLazyRoute, Link } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { useRows } from "~/api/pages";
import { may, useSession } from "~/api/session";
import { Badge } from "~/kit/Badge";
import { Button } from "~/kit/Button";
import { Copyable } from "~/kit/Copy";
import { EmptyState, Page } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { NewTenantDialog } from "./NewTenantDialog";
import type { Tenant } from "./queries";

export const lazyRoute = createLazyRoute("/frame/tenants")({ component: TenantsScreen });

const COLUMNS: readonly Column<Tenant>[] = [
  {
    header: "Name",
    cell: (tenant) => (
      <Link to="/tenants/$tenantId" params={{ tenantId: tenant.id }}>
        {tenant.name}
      </Link>
    ),
  },
  {
    header: "State",
    cell: (tenant) =>
      tenant.active ? <Badge tone="good">active</Badge> : <Badge tone="bad">deactivated</Badge>,
  },
  {
    header: "Channels",
    cell: (tenant) => (tenant.delivery_channels.length > 0 ? tenant.delivery_channels.join(", ") : "all"),
  },
  { header: "Sender", cell: (tenant) => tenant.sender_email || "–" },
  { header: "Id", cell: (tenant) => <Copyable text={tenant.id} what="tenant id" /> },
  { header: "Created", cell: (tenant) => <Time at={tenant.created_at} />, isWhole: true },
];

function TenantsScreen() {
  const [isCreating, setCreating] = useState(false);
  const mayCreate = may(useSession(), "operator");
  const list = useRows<Tenant>(["tenants", "list"], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/tenants", {
        params: { query: { limit: 50, ...(cursor && { cursor }) } },
        signal,
      }),
    ),
  );
  const create = mayCreate ? (
    <Button look="primary" onClick={() => setCreating(true)}>
      New tenant
    </Button>
  ) : null;
  return (
    <Page
      title="Tenants"
      text="Each tenant is a customer with its own keys, templates, providers and limits. Tenants never see each other."
      actions={create}
    >
      <List
        caption="Tenants, newest first"
        columns={COLUMNS}
        rowKey={(tenant) => tenant.id}
        list={list}
        empty={
          <EmptyState
            title="No tenants yet"
            text="A tenant is what everything belongs to: its API key sends events, its providers deliver them."
            action={create}
          />
        }
      />
      <NewTenantDialog isOpen={isCreating} onClose={() => setCreating(false)} />
    </Page>
  );
}
