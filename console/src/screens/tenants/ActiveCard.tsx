import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { Button } from "~/kit/Button";
import { Confirm } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { Card } from "~/kit/Page";
import { notify } from "~/kit/Toast";
import { keepTenant, type Tenant, useMayChange, useTenantChange } from "./queries";

/** Deactivate a tenant, or activate it again. */
export function ActiveCard({ tenant }: { tenant: Tenant }) {
  const queries = useQueryClient();
  const [isAsking, setAsking] = useState(false);
  const activation = useTenantChange(tenant, "The tenant is active again.");
  const deactivation = useMutation({
    mutationFn: () =>
      answer(api.DELETE("/api/v1/admin/tenants/{id}", { params: { path: { id: tenant.id } } })),
    onSuccess: (changed) => {
      keepTenant(queries, changed);
      setAsking(false);
      notify("The tenant is deactivated.");
    },
  });
  if (!useMayChange("owner", tenant)) {
    return null;
  }
  if (!tenant.active) {
    return (
      <Card title="Activate">
        <p>The keys of this tenant do not work, and its users are disconnected. Nothing was deleted.</p>
        {activation.error ? <ErrorNote error={activation.error} /> : null}
        <div>
          <Button
            look="primary"
            isBusy={activation.isPending}
            onClick={() => activation.mutate({ active: true })}
          >
            Activate this tenant
          </Button>
        </div>
      </Card>
    );
  }
  return (
    <Card title="Deactivate">
      <p>
        Its keys and realtime tokens stop working, and its users are disconnected. Nothing is deleted; you can
        activate it again.
      </p>
      <div>
        <Button look="danger" onClick={() => setAsking(true)}>
          Deactivate this tenant …
        </Button>
      </div>
      <Confirm
        isOpen={isAsking}
        onClose={() => setAsking(false)}
        title={`Deactivate ${tenant.name}?`}
        text="From then on all its events are refused with 401."
        name={tenant.name}
        action="Deactivate tenant"
        onSubmit={deactivation.mutate}
        isBusy={deactivation.isPending}
        error={deactivation.error}
      />
    </Card>
  );
}
