import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { Problem } from "~/api/problem";
import { FormDialog } from "~/kit/Dialog";
import { TextField } from "~/kit/Field";
import { InvitationLink } from "./InvitationLink";
import { MembershipsField } from "./Memberships";
import { type Invitation, keepUser, type Membership } from "./queries";

/** Ask for a person's address and roles, and show the link that invites them. */
export function NewUserDialog({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const queries = useQueryClient();
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [memberships, setMemberships] = useState<Membership[]>([]);
  const [invitation, setInvitation] = useState<Invitation | null>(null);
  const creation = useMutation({
    mutationFn: () => answer(api.POST("/api/v1/admin/users", { body: { email, name, memberships } })),
    onSuccess: ({ invitation: made, ...user }) => {
      keepUser(queries, user);
      setInvitation(made);
      close();
    },
  });
  const close = () => {
    onClose();
    setEmail("");
    setName("");
    setMemberships([]);
    creation.reset();
  };
  const problem = creation.error instanceof Problem ? creation.error : null;
  return (
    <>
      <FormDialog
        isOpen={isOpen}
        onClose={close}
        title="Invite somebody"
        action="Create the invitation"
        isWide
        onSubmit={creation.mutate}
        isBusy={creation.isPending}
        isDisabled={email === ""}
        error={creation.error}
      >
        <TextField
          label="E-mail address"
          type="email"
          autoComplete="off"
          required
          value={email}
          error={problem?.fields.get("email")}
          onChange={(event) => setEmail(event.target.value)}
        />
        <TextField
          label="Name"
          isOptional
          autoComplete="off"
          maxLength={100}
          value={name}
          error={problem?.fields.get("name")}
          onChange={(event) => setName(event.target.value)}
        />
        <MembershipsField
          value={memberships}
          onChange={setMemberships}
          error={problem?.fields.get("memberships")}
        />
      </FormDialog>
      <InvitationLink invitation={invitation} onClose={() => setInvitation(null)} />
    </>
  );
}
