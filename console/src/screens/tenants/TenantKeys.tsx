import { useQueryClient } from "@tanstack/react-query";
import { createLazyRoute } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { answer, api } from "~/api/client";
import { useRows } from "~/api/pages";
import { Badge } from "~/kit/Badge";
import { Button } from "~/kit/Button";
import { Card, EmptyState } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { FirstKeyCard } from "./FirstKeyCard";
import { KeyActions } from "./KeyActions";
import { NewKeyDialog } from "./NewKeyDialog";
import { type Key, keysKey, useMayChange, useOpenTenant } from "./queries";

export const lazyRoute = createLazyRoute("/frame/tenants/$tenantId/keys")({ component: TenantKeys });

/** The name; the key that a link leads to is marked and scrolled to. */
function KeyName({ of: key }: { of: Key }) {
  const isSought = lazyRoute.useSearch().key === key.id;
  const seen = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (isSought) {
      seen.current?.scrollIntoView({ block: "center" });
    }
  }, [isSought]);
  return isSought ? (
    <span ref={seen}>
      {key.name} <Badge tone="calm">the key of the link</Badge>
    </span>
  ) : (
    key.name
  );
}

function KeyState({ of: key }: { of: Key }) {
  if (key.expires_at && new Date(key.expires_at) <= new Date()) {
    return <Badge tone="bad">expired</Badge>;
  }
  return key.disabled ? <Badge tone="wait">disabled</Badge> : <Badge tone="good">works</Badge>;
}

const COLUMNS: readonly Column<Key>[] = [
  { header: "Name", cell: (key) => <KeyName of={key} /> },
  { header: "Key", cell: (key) => <code>…{key.last4}</code>, isWhole: true },
  { header: "State", cell: (key) => <KeyState of={key} /> },
  { header: "For", cell: (key) => (key.kind === "poll" ? "reading endpoints" : key.kind) },
  { header: "Scopes", cell: (key) => key.scopes.join(", ") || "all" },
  { header: "Ends", cell: (key) => (key.expires_at ? <Time at={key.expires_at} /> : "never"), isWhole: true },
  { header: "Created", cell: (key) => <Time at={key.created_at} />, isWhole: true },
];

function TenantKeys() {
  const tenant = useOpenTenant();
  const queries = useQueryClient();
  const [isCreating, setCreating] = useState(false);
  const mayChange = useMayChange("operator", tenant);
  const { key: sought } = lazyRoute.useSearch();
  const list = useRows<Key>(keysKey(tenant.id), (_cursor, signal) =>
    answer(api.GET("/api/v1/admin/tenants/{id}/keys", { params: { path: { id: tenant.id } }, signal })),
  );
  const reload = () => void queries.invalidateQueries({ queryKey: keysKey(tenant.id) });
  const create = mayChange ? (
    <Button look="primary" onClick={() => setCreating(true)}>
      New key
    </Button>
  ) : null;
  return (
    <>
      <FirstKeyCard tenant={tenant} />
      <Card title="Further keys" actions={create}>
        {sought && sought !== "first" && !list.isLoading && !list.rows.some((one) => one.id === sought) ? (
          <p role="status">
            The key that you followed a link to does not exist any more: it was revoked. Create one for the
            program that used it.
          </p>
        ) : null}
        <p>One key for each program, so that each can be revoked alone. A tenant may have 100.</p>
        <List
          caption={`Further API keys of ${tenant.name}`}
          columns={
            mayChange
              ? [...COLUMNS, { header: "", cell: (key) => <KeyActions of={key} onChange={reload} /> }]
              : COLUMNS
          }
          rowKey={(key) => key.id}
          list={list}
          empty={
            <EmptyState
              title="No further keys"
              text="The tenant’s first key works everywhere. Create a key with a name for each program that sends events."
              action={create}
            />
          }
        />
      </Card>
      <NewKeyDialog
        tenant={tenant}
        isOpen={isCreating}
        onClose={() => setCreating(false)}
        onCreated={reload}
      />
    </>
  );
}
