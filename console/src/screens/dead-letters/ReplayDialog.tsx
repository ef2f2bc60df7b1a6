import { useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api, type Schemas } from "~/api/client";
import { notify } from "~/kit/Toast";
import { PaceDialog } from "./PaceDialog";

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
  const start = useMutation({
    mutationFn: (perSecond: number) =>
      answer(api.POST("/api/v1/admin/dead-letters/replay", { body: { ...filter, per_second: perSecond } })),
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
    <PaceDialog
      isOpen={isOpen}
      onClose={onClose}
      title={`Send ${count} dead letters again`}
      text={`Everything that matches the filter${tenant ? ` and belongs to ${tenant}` : ", of all tenants,"} is sent again in the background, not only what is shown. Recipients get it now. What dies again is not sent once more.`}
      what="Deliveries"
      onSubmit={start.mutate}
      isBusy={start.isPending}
      error={start.error}
    />
  );
}
