import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { Problem } from "~/api/problem";
import { FormDialog } from "~/kit/Dialog";
import { SelectField, TextField } from "~/kit/Field";
import { ShownOnce } from "~/kit/ShownOnce";
import { EndpointChoice } from "./EndpointChoice";
import { FirstCommand } from "./FirstCommand";
import type { Tenant } from "./queries";

interface NewKeyDialogProps {
  tenant: Tenant;
  isOpen: boolean;
  onClose: () => void;
  onCreated: () => void;
}

interface Wanted {
  name: string;
  kind: "api" | "poll";
  scopes: string;
  endsAt: string;
  endpointIds: string[];
}

const NOTHING: Wanted = { name: "", kind: "api", scopes: "", endsAt: "", endpointIds: [] };

function bodyOf(wanted: Wanted): Schemas["NewKey"] {
  const isPoll = wanted.kind === "poll";
  return {
    name: wanted.name,
    kind: wanted.kind,
    scopes: isPoll
      ? []
      : wanted.scopes
          .split(",")
          .map((one) => one.trim())
          .filter(Boolean),
    // The field has the time of the person's clock.
    expires_at: wanted.endsAt ? new Date(wanted.endsAt).toISOString() : null,
    endpoint_ids: isPoll ? wanted.endpointIds : [],
  };
}

/** Ask for what a further key is for, and show the key once. */
export function NewKeyDialog({ tenant, isOpen, onClose, onCreated }: NewKeyDialogProps) {
  const [wanted, setWanted] = useState(NOTHING);
  const [made, setMade] = useState<Schemas["KeyWithSecret"] | null>(null);
  const creation = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/v1/admin/tenants/{id}/keys", {
          params: { path: { id: tenant.id } },
          body: bodyOf(wanted),
        }),
      ),
    onSuccess: (key) => {
      setMade(key);
      onCreated();
      close();
    },
  });
  const close = () => {
    onClose();
    setWanted(NOTHING);
    creation.reset();
  };
  const problem = creation.error instanceof Problem ? creation.error : null;
  return (
    <>
      <FormDialog
        isOpen={isOpen}
        onClose={close}
        title="New API key"
        action="Create key"
        onSubmit={creation.mutate}
        isBusy={creation.isPending}
        error={creation.error}
      >
        <TextField
          label="Name"
          help="The program that uses it, such as “nightly import”."
          required
          autoComplete="off"
          value={wanted.name}
          error={problem?.fields.get("name")}
          onChange={(event) => setWanted({ ...wanted, name: event.target.value })}
        />
        <SelectField
          label="For"
          value={wanted.kind}
          onChange={(event) => setWanted({ ...wanted, kind: event.target.value === "poll" ? "poll" : "api" })}
        >
          <option value="api">Sending events</option>
          <option value="poll">Reading the messages of endpoints</option>
        </SelectField>
        {wanted.kind === "poll" ? (
          <EndpointChoice
            tenantId={tenant.id}
            chosen={wanted.endpointIds}
            onChange={(endpointIds) => setWanted({ ...wanted, endpointIds })}
          />
        ) : (
          <TextField
            label="Scopes"
            isOptional
            help="Separated by commas. The key may send only events of these scopes; without any it may do everything."
            value={wanted.scopes}
            error={problem?.fields.get("scopes")}
            onChange={(event) => setWanted({ ...wanted, scopes: event.target.value })}
          />
        )}
        <TextField
          label="Ends"
          isOptional
          type="datetime-local"
          help="In your time. Empty: never."
          value={wanted.endsAt}
          error={problem?.fields.get("expires_at")}
          onChange={(event) => setWanted({ ...wanted, endsAt: event.target.value })}
        />
      </FormDialog>
      <ShownOnce secret={made?.api_key ?? null} what="API key" onClose={() => setMade(null)}>
        {made?.kind === "api" ? <FirstCommand apiKey={made.api_key} tenantId={tenant.id} /> : null}
      </ShownOnce>
    </>
  );
}
