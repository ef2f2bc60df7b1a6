import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { Problem } from "~/api/problem";
import { FormDialog } from "~/kit/Dialog";
import { ShownOnce } from "~/kit/ShownOnce";
import { FirstCommand } from "./FirstCommand";
import { IdentityFields, NOTHING } from "./fields";
import { keepTenant } from "./queries";

/** Ask for what a new tenant needs, show its API key once, and open its page. */
export function NewTenantDialog({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [identity, setIdentity] = useState(NOTHING);
  const [made, setMade] = useState<Schemas["TenantWithKey"] | null>(null);
  const creation = useMutation({
    mutationFn: () => answer(api.POST("/api/v1/admin/tenants", { body: identity })),
    onSuccess: ({ api_key, ...tenant }) => {
      keepTenant(queries, tenant);
      setMade({ ...tenant, api_key });
      close();
    },
  });
  const close = () => {
    onClose();
    setIdentity(NOTHING);
    creation.reset();
  };
  const open = () => {
    setMade(null);
    if (made) {
      void navigate({ to: "/tenants/$tenantId", params: { tenantId: made.id } });
    }
  };
  return (
    <>
      <FormDialog
        isOpen={isOpen}
        onClose={close}
        title="New tenant"
        action="Create tenant"
        isWide
        onSubmit={creation.mutate}
        isBusy={creation.isPending}
        error={creation.error}
      >
        <IdentityFields
          value={identity}
          onChange={setIdentity}
          problem={creation.error instanceof Problem ? creation.error : null}
        />
      </FormDialog>
      <ShownOnce secret={made?.api_key ?? null} what="API key" onClose={open}>
        <FirstCommand apiKey={made?.api_key ?? ""} tenantId={made?.id ?? ""} />
      </ShownOnce>
    </>
  );
}
