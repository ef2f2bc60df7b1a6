import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { Problem } from "~/api/problem";
import { Button } from "~/kit/Button";
import { FormDialog } from "~/kit/Dialog";
import { notify } from "~/kit/Toast";
import { type Device, DeviceFields } from "./DeviceFields";
import type { Stored } from "./data";
import { bodyOf, type Entered, faultOf, RecipientFields } from "./fields";
import { PreferenceFields } from "./PreferenceFields";

type Preference = Schemas["CategoryPreference"];

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
  const [preferences, setPreferences] = useState<readonly Preference[]>(stored.category_preferences);
  const [known] = useState<readonly Device[]>(() =>
    stored.device_tokens.map((one) => ({ ...one, isStored: true })),
  );
  const [devices, setDevices] = useState(known);
  const isSame =
    JSON.stringify([entered, preferences, devices]) ===
    JSON.stringify([start, stored.category_preferences, known]);
  const change = useMutation({
    mutationFn: () => {
      const before = withLists(start, stored.category_preferences, known);
      const after = withLists(entered, preferences, devices);
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
  const fields = change.error instanceof Problem ? change.error.fields : undefined;
  const exact = (field: string) => fields?.get(field);
  return (
    <FormDialog
      isOpen
      onClose={onClose}
      title={`Change ${stored.name || stored.recipient_id}`}
      action="Save"
      isWide
      isDisabled={isSame}
      isBusy={change.isPending}
      error={change.error}
      onSubmit={() => change.mutate()}
    >
      <RecipientFields
        entered={entered}
        set={(next) => setEntered((before) => ({ ...before, ...next }))}
        error={(field) => faultOf(change.error, field)}
      />
      <PreferenceFields preferences={preferences} onChange={setPreferences} error={exact} />
      <DeviceFields devices={devices} onChange={setDevices} error={exact} />
    </FormDialog>
  );
}

function withLists(entered: Entered, preferences: readonly Preference[], devices: readonly Device[]) {
  return {
    ...bodyOf(entered),
    category_preferences: preferences.map((one) => ({ ...one, category: one.category.trim() })),
    device_tokens: devices.map(({ kind, token }) => ({ kind, token: token.trim() })),
  };
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
