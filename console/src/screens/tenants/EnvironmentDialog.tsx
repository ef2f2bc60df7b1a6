import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { Problem } from "~/api/problem";
import { FormDialog } from "~/kit/Dialog";
import { TextField } from "~/kit/Field";
import { notify } from "~/kit/Toast";
import type { Environment } from "./queries";

interface EnvironmentDialogProps {
  tenantId: string;
  /** The one to rename; null: a new one. */
  environment: Environment | null;
  onClose: () => void;
  onDone: () => void;
}

/** Create an environment, or rename one. */
export function EnvironmentDialog({ tenantId, environment, onClose, onDone }: EnvironmentDialogProps) {
  const [name, setName] = useState(environment?.name ?? "");
  const [slug, setSlug] = useState("");
  const saving = useMutation({
    mutationFn: () =>
      environment
        ? answer(
            api.PATCH("/api/v1/admin/tenants/{id}/environments/{environment_id}", {
              params: { path: { id: tenantId, environment_id: environment.id } },
              body: { name },
            }),
          )
        : answer(
            api.POST("/api/v1/admin/tenants/{id}/environments", {
              params: { path: { id: tenantId } },
              body: { name, slug },
            }),
          ),
    onSuccess: () => {
      notify("Saved.");
      onDone();
      onClose();
    },
  });
  const problem = saving.error instanceof Problem ? saving.error : null;
  return (
    <FormDialog
      isOpen
      onClose={onClose}
      title={environment ? `Rename ${environment.name}` : "New environment"}
      action={environment ? "Rename" : "Create"}
      onSubmit={saving.mutate}
      isBusy={saving.isPending}
      error={saving.error}
    >
      <TextField
        label="Name"
        required
        maxLength={100}
        value={name}
        error={problem?.fields.get("name")}
        onChange={(event) => setName(event.target.value)}
      />
      {environment ? null : (
        <TextField
          label="Slug"
          help="Small letters, digits and hyphens, such as “staging”. It cannot be changed later."
          required
          maxLength={50}
          pattern="[a-z0-9\-]+"
          isMono
          value={slug}
          error={problem?.fields.get("slug")}
          onChange={(event) => setSlug(event.target.value)}
        />
      )}
    </FormDialog>
  );
}
