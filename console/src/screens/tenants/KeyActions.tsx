import { useMutation } from "@tanstack/react-query";
import { MoreHorizontal } from "lucide-react";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { IconButton } from "~/kit/Button";
import { Confirm } from "~/kit/Dialog";
import { Menu } from "~/kit/Menu";
import { notify, notifyError } from "~/kit/Toast";
import type { Key } from "./queries";

/** What can be done with a further key. */
export function KeyActions({ of: key, onChange }: { of: Key; onChange: () => void }) {
  const [isAsking, setAsking] = useState(false);
  const path = { id: key.tenant_id, key_id: key.id };
  const change = useMutation({
    mutationFn: (disabled: boolean) =>
      answer(api.PATCH("/api/v1/admin/tenants/{id}/keys/{key_id}", { params: { path }, body: { disabled } })),
    onSuccess: (changed) => {
      onChange();
      notify(changed.disabled ? `The key “${key.name}” is disabled.` : `The key “${key.name}” works again.`);
    },
    onError: notifyError,
  });
  const revocation = useMutation({
    mutationFn: () => answer(api.DELETE("/api/v1/admin/tenants/{id}/keys/{key_id}", { params: { path } })),
    onSuccess: () => {
      setAsking(false);
      onChange();
      notify(`The key “${key.name}” is revoked.`);
    },
  });
  return (
    <>
      <Menu
        trigger={
          <IconButton label={`Actions for the key ${key.name}`} size="small">
            <MoreHorizontal aria-hidden />
          </IconButton>
        }
        items={[
          {
            label: key.disabled ? "Enable key" : "Disable key",
            onSelect: () => change.mutate(!key.disabled),
            isDisabled: change.isPending,
          },
          { label: "Revoke key …", onSelect: () => setAsking(true) },
        ]}
      />
      <Confirm
        isOpen={isAsking}
        onClose={() => setAsking(false)}
        title={`Revoke the key “${key.name}”?`}
        text="It stops working for ever: programs that use it are refused with 401. To stop it for a while, disable it."
        name={key.name}
        action="Revoke key"
        onSubmit={revocation.mutate}
        isBusy={revocation.isPending}
        error={revocation.error}
      />
    </>
  );
}
