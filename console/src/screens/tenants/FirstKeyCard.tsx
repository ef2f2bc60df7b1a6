import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { Button } from "~/kit/Button";
import { Confirm } from "~/kit/Dialog";
import { Card } from "~/kit/Page";
import { ShownOnce } from "~/kit/ShownOnce";
import { FirstCommand } from "./FirstCommand";
import { keepTenant, type Tenant, useMayChange } from "./queries";

/** The key that every tenant has. It can be replaced, not revoked. */
export function FirstKeyCard({ tenant }: { tenant: Tenant }) {
  const queries = useQueryClient();
  const [isAsking, setAsking] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const mayChange = useMayChange("operator", tenant);
  const rotation = useMutation({
    mutationFn: () =>
      answer(api.POST("/api/v1/admin/tenants/{id}/rotate-key", { params: { path: { id: tenant.id } } })),
    onSuccess: ({ api_key, ...changed }) => {
      keepTenant(queries, changed);
      setAsking(false);
      setSecret(api_key);
    },
  });
  return (
    <Card title="The tenant’s first key">
      <p>
        It ends in <code>{tenant.key_last4}</code>, sends events of every kind, and never ends.
      </p>
      {mayChange ? (
        <div>
          <Button onClick={() => setAsking(true)}>Replace the first key …</Button>
        </div>
      ) : null}
      <Confirm
        isOpen={isAsking}
        onClose={() => setAsking(false)}
        title="Replace the first key?"
        text="The old one stops working at once: programs that use it are refused until they have the new one."
        name={tenant.name}
        action="Replace key"
        onSubmit={rotation.mutate}
        isBusy={rotation.isPending}
        error={rotation.error}
      />
      <ShownOnce secret={secret} what="API key" onClose={() => setSecret(null)}>
        <FirstCommand apiKey={secret ?? ""} tenantId={tenant.id} />
      </ShownOnce>
    </Card>
  );
}
