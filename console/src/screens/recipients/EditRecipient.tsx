import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { Problem } from "~/api/problem";
import { Button } from "~/kit/Button";
import { FormDialog } from "~/kit/Dialog";
import { notify } from "~/kit/Toast";
import { bodyOf, type Entered, RecipientFields } from "./fields";

type Stored = Schemas["StoredRecipientWithGroups"];

/** Changes what is stored of a person. */
export function EditRecipient({ tenantId, stored }: { tenantId: string; stored: Stored }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button size="small" onClick={() => setOpen(true)}>
        Edit …
      </Button>
      {isOpen ? <Edit tenantId={tenantId} stored={stored} onClose={() => setOpen(false)} /> : null}
    </>
  );
}

function Edit({ tenantId, stored, onClose }: { tenantId: string; stored: Stored; onClose: () => void }) {
  const queries = useQueryClient();
  const [start] = useState(() => enteredOf(stored));
  const [entered, setEntered] = useState(start);
  const change = useMutation({
    mutationFn: () => {
      const [before, after] = [bodyOf(start), bodyOf(entered)];
      // Absent, so that what somebody else changes meanwhile stays.
      const body = Object.fromEntries(
        Object.entries(after).filter(
          ([name, value]) => JSON.stringify(before[name as keyof typeof before]) !== JSON.stringify(value),
        ),
      );
      return answer(
        api.PATCH("/api/v1/admin/tenants/{id}/recipients/{recipient_id}", {
          params: { path: { id: tenantId, recipient_id: stored.recipient_id } },
          body,
        }),
      );
    },
    onSuccess: () => {
      notify("The changes are saved.");
      void queries.invalidateQueries({ queryKey: ["recipients", tenantId] });
      void queries.invalidateQueries({ queryKey: ["tags", tenantId] });
      onClose();
    },
  });
  const fields = change.error instanceof Problem ? change.error.fields : new Map<string, string>();
  return (
    <FormDialog
      isOpen
      onClose={onClose}
      title={`Change ${stored.name || stored.recipient_id}`}
      action="Save"
      isWide
      isDisabled={JSON.stringify(entered) === JSON.stringify(start)}
      isBusy={change.isPending}
      error={change.error}
      onSubmit={() => change.mutate()}
    >
      <RecipientFields
        entered={entered}
        set={(next) => setEntered((known) => ({ ...known, ...next }))}
        error={(field) => fields.get(field)}
      />
    </FormDialog>
  );
}

function enteredOf(stored: Stored): Entered {
  const { name, email, phone, locale, timezone } = stored;
  return {
    ...{ name, email, phone, locale, timezone },
    tags: stored.tags.join(", "),
    muted: stored.muted_channels,
    data: JSON.stringify(stored.data, null, 2),
  };
}
