import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { Problem } from "~/api/problem";
import { may, useSession } from "~/api/session";
import { Button } from "~/kit/Button";
import { FormDialog } from "~/kit/Dialog";
import { SelectField, TextField } from "~/kit/Field";
import { notify } from "~/kit/Toast";
import { tenantsQuery } from "~/shell/tenants";

/** Suppress an address by hand. */
export function NewSuppression({ tenantId }: { tenantId: string | undefined }) {
  const queries = useQueryClient();
  const session = useSession();
  const tenants = useQuery(tenantsQuery).data;
  const tenant = tenants?.find((one) => one.id === tenantId);
  const [isOpen, setOpen] = useState(false);
  const [channel, setChannel] = useState<"EMAIL" | "SMS">("EMAIL");
  const [address, setAddress] = useState("");
  const [detail, setDetail] = useState("");
  const adding = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/v1/admin/suppressions", {
          body: { tenant_id: tenantId ?? "", channel, address, reason: "manual", detail },
        }),
      ),
    onSuccess: () => {
      setOpen(false);
      setAddress("");
      setDetail("");
      notify("Suppressed: the address gets no more messages.");
      void queries.invalidateQueries({ queryKey: ["suppressions"] });
    },
  });
  if (tenantId && !may(session, "operator", tenant)) {
    return null;
  }
  const problem = adding.error instanceof Problem ? adding.error : null;
  return (
    <>
      <Button
        look="primary"
        disabled={!tenantId}
        title={tenantId ? undefined : "Choose a tenant first"}
        onClick={() => setOpen(true)}
      >
        Suppress an address
      </Button>
      <FormDialog
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        title="Suppress an address"
        text={`It gets no more messages of ${tenant?.name ?? "this tenant"}.`}
        action="Suppress"
        onSubmit={() => adding.mutate()}
        isBusy={adding.isPending}
        error={adding.error}
      >
        <SelectField
          label="Channel"
          value={channel}
          onChange={(event) => setChannel(event.target.value === "SMS" ? "SMS" : "EMAIL")}
        >
          <option value="EMAIL">E-mail</option>
          <option value="SMS">SMS</option>
        </SelectField>
        <TextField
          label={channel === "EMAIL" ? "E-mail address" : "Phone number"}
          help={channel === "EMAIL" ? undefined : "With its country code, such as +254712345678."}
          value={address}
          required
          autoComplete="off"
          error={problem?.fields.get("address")}
          onChange={(event) => setAddress(event.target.value)}
        />
        <TextField
          label="Note"
          isOptional
          help="Why, for your colleagues."
          value={detail}
          onChange={(event) => setDetail(event.target.value)}
        />
      </FormDialog>
    </>
  );
}
