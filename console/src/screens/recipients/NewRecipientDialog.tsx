import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { Problem } from "~/api/problem";
import { FormDialog } from "~/kit/Dialog";
import { TextField } from "~/kit/Field";
import { bodyOf, type Entered, faultOf, NOBODY, RecipientFields } from "./fields";

interface NewRecipientDialogProps {
  tenantId: string;
  isOpen: boolean;
  onClose: () => void;
}

/** Somebody is stored with the id. */
class IdTaken extends Error {}

/** Stores one person. */
export function NewRecipientDialog({ tenantId, isOpen, onClose }: NewRecipientDialogProps) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [id, setId] = useState("");
  const [entered, setEntered] = useState<Entered>(NOBODY);
  const store = useMutation({
    mutationFn: async () => {
      const body = bodyOf(entered);
      const params = { path: { id: tenantId, recipient_id: id.trim() } };
      if (await isStored(params.path)) {
        throw new IdTaken("Somebody is stored with this id already. Open them to change what is stored.");
      }
      return await answer(api.PUT("/api/v1/admin/tenants/{id}/recipients/{recipient_id}", { params, body }));
    },
    onSuccess: (made) => {
      void queries.invalidateQueries({ queryKey: ["recipients", tenantId] });
      void queries.invalidateQueries({ queryKey: ["tags", tenantId] });
      onClose();
      void navigate({
        to: "/recipients/$recipientId",
        params: { recipientId: made.recipient_id },
        search: { tenant: tenantId },
      });
    },
  });
  return (
    <FormDialog
      isOpen={isOpen}
      onClose={onClose}
      title="Store a recipient"
      action="Store"
      isWide
      isDisabled={id.trim() === ""}
      isBusy={store.isPending}
      error={store.error}
      onSubmit={() => store.mutate()}
    >
      <TextField
        label="Id"
        help="The id that your programs have of this person."
        value={id}
        maxLength={255}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setId(event.target.value)}
        error={store.error instanceof IdTaken ? store.error.message : faultOf(store.error, "recipient_id")}
      />
      <RecipientFields
        entered={entered}
        set={(change) => setEntered((known) => ({ ...known, ...change }))}
        error={(field) => faultOf(store.error, field)}
      />
    </FormDialog>
  );
}

async function isStored(path: { id: string; recipient_id: string }): Promise<boolean> {
  try {
    await answer(api.GET("/api/v1/admin/tenants/{id}/recipients/{recipient_id}", { params: { path } }));
    return true;
  } catch (error) {
    if (error instanceof Problem && error.status === 404) {
      return false;
    }
    throw error;
  }
}
