import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { Button } from "~/kit/Button";
import { Confirm } from "~/kit/Dialog";
import { TextField } from "~/kit/Field";
import { Form } from "~/kit/Form";
import { Card } from "~/kit/Page";
import { notify } from "~/kit/Toast";
import { type Tenant, useMayChange } from "./queries";

/** Disconnect users of the tenant whose realtime tokens may be in wrong hands. */
export function TokensCard({ tenant }: { tenant: Tenant }) {
  const [userId, setUserId] = useState("");
  const [isAsking, setAsking] = useState(false);
  const revocation = useMutation({
    mutationFn: (user_id: string) =>
      answer(
        api.POST("/api/v1/admin/tenants/{id}/revoke-tokens", {
          params: { path: { id: tenant.id } },
          body: { user_id },
        }),
      ),
    onSuccess: (_none, user) => {
      setUserId("");
      setAsking(false);
      notify(user ? `The tokens of “${user}” are revoked.` : "The tokens of all users are revoked.");
    },
  });
  if (!useMayChange("operator", tenant)) {
    return null;
  }
  return (
    <Card title="Realtime tokens">
      <p>Revoke the tokens with which pages receive pushes. Pages of these users are disconnected at once.</p>
      <Form
        action="Revoke the tokens of this user"
        onSubmit={() => revocation.mutate(userId)}
        isBusy={revocation.isPending}
        error={isAsking ? null : revocation.error}
      >
        <TextField
          label="User id"
          help="As the tenant’s events have it."
          required
          autoComplete="off"
          value={userId}
          onChange={(event) => setUserId(event.target.value)}
        />
      </Form>
      <div>
        <Button look="danger" onClick={() => setAsking(true)}>
          Revoke the tokens of all users …
        </Button>
      </div>
      <Confirm
        isOpen={isAsking}
        onClose={() => setAsking(false)}
        title="Revoke the tokens of all users?"
        text="All pages of this tenant are disconnected, and connect again once its servers give them new tokens."
        name={tenant.name}
        action="Revoke all tokens"
        onSubmit={() => revocation.mutate("")}
        isBusy={revocation.isPending}
        error={revocation.error}
      />
    </Card>
  );
}
