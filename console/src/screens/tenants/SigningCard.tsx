import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { Problem } from "~/api/problem";
import { Button } from "~/kit/Button";
import { Confirm, FormDialog } from "~/kit/Dialog";
import { SelectField, TextField } from "~/kit/Field";
import { Card } from "~/kit/Page";
import { ShownOnce } from "~/kit/ShownOnce";
import { Table } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { notify } from "~/kit/Toast";
import { keepTenant, type Tenant, useMayChange } from "./queries";

const HOUR_S = 3600;
const OVERLAPS: readonly (readonly [seconds: number, label: string])[] = [
  [24 * HOUR_S, "For a day"],
  [HOUR_S, "For an hour"],
  [7 * 24 * HOUR_S, "For a week"],
  [0, "Not at all: it stops working at once"],
];

/** The secrets with which the tenant's events must be signed. */
export function SigningCard({ tenant }: { tenant: Tenant }) {
  const [open, setOpen] = useState<"" | "rotate" | "delete">("");
  const [secret, setSecret] = useState<string | null>(null);
  const mayChange = useMayChange("operator", tenant);
  const isSet = tenant.webhook_secrets.length > 0;
  return (
    <Card title="Signatures of events">
      <p>
        {isSet
          ? "Events of this tenant must be signed with one of these secrets. Others are refused with 401."
          : "Events of this tenant need no signature. Set a secret, and from then on each event must be signed with it."}
      </p>
      {isSet ? (
        <Table
          caption="Valid secrets"
          columns={[
            { header: "Secret", cell: (one) => <code>…{one.last4}</code> },
            { header: "Created", cell: (one) => <Time at={one.created_at} /> },
            {
              header: "Valid until",
              cell: (one) => (one.valid_until ? <Time at={one.valid_until} /> : "replaced"),
            },
          ]}
          rows={tenant.webhook_secrets}
          rowKey={(one) => `${one.last4} ${one.created_at}`}
        />
      ) : null}
      {mayChange ? (
        <div>
          <Button onClick={() => setOpen("rotate")}>
            {isSet ? "Rotate the secret …" : "Set a secret …"}
          </Button>{" "}
          {isSet ? (
            <Button look="danger" onClick={() => setOpen("delete")}>
              Accept unsigned events …
            </Button>
          ) : null}
        </div>
      ) : null}
      <RotateDialog
        tenant={tenant}
        isOpen={open === "rotate"}
        onClose={() => setOpen("")}
        onDone={setSecret}
      />
      <DeleteDialog tenant={tenant} isOpen={open === "delete"} onClose={() => setOpen("")} />
      <ShownOnce secret={secret} what="webhook secret" onClose={() => setSecret(null)}>
        <p>
          Put it into the programs that send this tenant’s events. docs/signatures.md shows how they sign.
        </p>
      </ShownOnce>
    </Card>
  );
}

interface PartProps {
  tenant: Tenant;
  isOpen: boolean;
  onClose: () => void;
}

function RotateDialog({ tenant, isOpen, onClose, onDone }: PartProps & { onDone: (secret: string) => void }) {
  const queries = useQueryClient();
  const [own, setOwn] = useState("");
  const [overlap, setOverlap] = useState(String(OVERLAPS[0]?.[0]));
  const rotation = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/v1/admin/tenants/{id}/webhook-secret", {
          params: { path: { id: tenant.id } },
          body: { secret: own, overlap_s: Number(overlap) },
        }),
      ),
    onSuccess: ({ webhook_secret, ...changed }) => {
      keepTenant(queries, changed);
      close();
      onDone(webhook_secret);
    },
  });
  const close = () => {
    onClose();
    setOwn("");
    rotation.reset();
  };
  const isSet = tenant.webhook_secrets.length > 0;
  return (
    <FormDialog
      isOpen={isOpen}
      onClose={close}
      title={isSet ? "Rotate the webhook secret" : "Set a webhook secret"}
      text={isSet ? undefined : "From then on, events without a valid signature are refused with 401."}
      action={isSet ? "Rotate" : "Set the secret"}
      onSubmit={rotation.mutate}
      isBusy={rotation.isPending}
      error={rotation.error}
    >
      <TextField
        label="Secret"
        isOptional
        isMono
        help="16 to 256 visible ASCII characters that the tenant uses already. Empty: Clarion makes a random one."
        autoComplete="off"
        spellCheck={false}
        value={own}
        error={rotation.error instanceof Problem ? rotation.error.fields.get("secret") : undefined}
        onChange={(event) => setOwn(event.target.value)}
      />
      {isSet ? (
        <SelectField
          label="The present secret stays valid"
          value={overlap}
          onChange={(event) => setOverlap(event.target.value)}
        >
          {OVERLAPS.map(([seconds, label]) => (
            <option key={seconds} value={seconds}>
              {label}
            </option>
          ))}
        </SelectField>
      ) : null}
    </FormDialog>
  );
}

function DeleteDialog({ tenant, isOpen, onClose }: PartProps) {
  const queries = useQueryClient();
  const deletion = useMutation({
    mutationFn: () =>
      answer(
        api.DELETE("/api/v1/admin/tenants/{id}/webhook-secret", { params: { path: { id: tenant.id } } }),
      ),
    onSuccess: (changed) => {
      keepTenant(queries, changed);
      onClose();
      notify("Events need no signature any more.");
    },
  });
  return (
    <Confirm
      isOpen={isOpen}
      onClose={onClose}
      title="Accept unsigned events?"
      text="All secrets are deleted. Whoever has an API key of this tenant can then send events."
      name={tenant.name}
      action="Delete the secrets"
      onSubmit={deletion.mutate}
      isBusy={deletion.isPending}
      error={deletion.error}
    />
  );
}
