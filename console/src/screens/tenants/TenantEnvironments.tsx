import { useMutation, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { useRows } from "~/api/pages";
import { Badge } from "~/kit/Badge";
import { Button } from "~/kit/Button";
import { Copyable } from "~/kit/Copy";
import { Confirm } from "~/kit/Dialog";
import { Card, EmptyState } from "~/kit/Page";
import { type Column, List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { notify } from "~/kit/Toast";
import { EnvironmentDialog } from "./EnvironmentDialog";
import { type Environment, environmentsKey, useMayChange, useOpenTenant } from "./queries";

export const lazyRoute = createLazyRoute("/frame/tenants/$tenantId/environments")({
  component: TenantEnvironments,
});

const COLUMNS: readonly Column<Environment>[] = [
  {
    header: "Name",
    cell: (one) => (
      <>
        {one.name} {one.is_default ? <Badge>default</Badge> : null}
      </>
    ),
  },
  { header: "Slug", cell: (one) => <code>{one.slug}</code> },
  { header: "Id", cell: (one) => <Copyable text={one.id} what="environment id" /> },
  { header: "Created", cell: (one) => <Time at={one.created_at} />, isWhole: true },
];

function TenantEnvironments() {
  const tenant = useOpenTenant();
  const queries = useQueryClient();
  const mayChange = useMayChange("operator", tenant);
  const [edited, setEdited] = useState<Environment | "new" | null>(null);
  const [doomed, setDoomed] = useState<Environment | null>(null);
  const key = environmentsKey(tenant.id);
  const reload = () => void queries.invalidateQueries({ queryKey: key });
  const list = useRows<Environment>(key, (_cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/tenants/{id}/environments", { params: { path: { id: tenant.id } }, signal }),
    ),
  );
  const deletion = useMutation({
    mutationFn: (one: Environment) =>
      answer(
        api.DELETE("/api/v1/admin/tenants/{id}/environments/{environment_id}", {
          params: { path: { id: tenant.id, environment_id: one.id } },
        }),
      ),
    onSuccess: () => {
      setDoomed(null);
      reload();
      notify("The environment is deleted.");
    },
  });
  const actions: Column<Environment> = {
    header: "",
    cell: (one) => (
      <>
        <Button size="small" onClick={() => setEdited(one)}>
          Rename<span className="unseen"> {one.name}</span>
        </Button>{" "}
        {one.is_default ? null : (
          <Button size="small" look="danger" onClick={() => setDoomed(one)}>
            Delete<span className="unseen"> {one.name}</span>
          </Button>
        )}
      </>
    ),
    isWhole: true,
  };
  const create = mayChange ? (
    <Button look="primary" onClick={() => setEdited("new")}>
      New environment
    </Button>
  ) : null;
  return (
    <Card title="Environments" actions={create}>
      <p>Parts of this tenant with endpoints of their own, such as staging and production.</p>
      <List
        caption={`Environments of ${tenant.name}`}
        columns={mayChange ? [...COLUMNS, actions] : COLUMNS}
        rowKey={(one) => one.id}
        list={list}
        empty={
          <EmptyState
            title="No environments yet"
            text="The default one is created with the tenant’s first endpoint. Create another one to keep endpoints apart."
            action={create}
          />
        }
      />
      {edited ? (
        <EnvironmentDialog
          tenantId={tenant.id}
          environment={edited === "new" ? null : edited}
          onClose={() => setEdited(null)}
          onDone={reload}
        />
      ) : null}
      <Confirm
        key={doomed?.id}
        isOpen={doomed !== null}
        onClose={() => setDoomed(null)}
        title={`Delete ${doomed?.name ?? ""}?`}
        text="Only an environment without endpoints can be deleted."
        name={doomed?.slug ?? ""}
        action="Delete"
        onSubmit={() => doomed && deletion.mutate(doomed)}
        isBusy={deletion.isPending}
        error={deletion.error}
      />
    </Card>
  );
}
