import { useMutation } from "@tanstack/react-query";
import { answer, api } from "~/api/client";
import { Button } from "~/kit/Button";
import { notify, notifyError } from "~/kit/Toast";
import type { DeadLetter } from "./filters";

/** Replay one dead letter. */
export function ReplayOne({ letter, onDone }: { letter: DeadLetter; onDone: () => void }) {
  const replay = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/v1/admin/dead-letters/{id}/replay", { params: { path: { id: letter.delivery_id } } }),
      ),
    onSuccess: () => {
      notify("It is sent again, from its first attempt.");
      onDone();
    },
    onError: notifyError,
  });
  return (
    <Button size="small" onClick={() => replay.mutate()} isBusy={replay.isPending}>
      Send again
      <span className="unseen">
        {" "}
        {letter.event_type} by {letter.channel}
      </span>
    </Button>
  );
}
