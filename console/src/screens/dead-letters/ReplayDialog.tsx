import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { FormDialog } from "~/kit/Dialog";
import { TextField } from "~/kit/Field";
import { notify } from "~/kit/Toast";

const PACE = 50;
const FASTEST = 1000;

interface ReplayDialogProps {
  isOpen: boolean;
  onClose: () => void;
  filter: Schemas["MatchingDeadLetters"];
  /** How many match, as "1,234" or "10,000+". */
  count: string;
  /** The tenant's name; undefined: those of all tenants. */
  tenant: string | undefined;
}

/** Ask before everything that matches the filter is sent again. */
export function ReplayDialog({ isOpen, onClose, filter, count, tenant }: ReplayDialogProps) {
  const queries = useQueryClient();
  const [pace, setPace] = useState(String(PACE));
  const start = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/v1/admin/dead-letters/replay", { body: { ...filter, per_second: Number(pace) } }),
      ),
    onSuccess: ({ replays }) => {
      void queries.invalidateQueries({ queryKey: ["replays"] });
      notify(
        replays.length === 1
          ? "They are being sent again."
          : `They are being sent again, in ${replays.length} replays.`,
      );
      onClose();
    },
  });
  return (
    <FormDialog
      isOpen={isOpen}
      onClose={onClose}
      title={`Send ${count} dead letters again`}
      text={`Everything that matches the filter${tenant ? ` and belongs to ${tenant}` : ", of all tenants,"} is sent again in the background, not only what is shown. Recipients get it now. What dies again is not sent once more.`}
      action="Send them again"
      onSubmit={start.mutate}
      isBusy={start.isPending}
      error={start.error}
    >
      <TextField
        label="Deliveries a second"
        help="Slower spares a provider that has just recovered."
        type="number"
        min={1}
        max={FASTEST}
        step={1}
        required
        value={pace}
        onChange={(event) => setPace(event.target.value)}
      />
    </FormDialog>
  );
}
