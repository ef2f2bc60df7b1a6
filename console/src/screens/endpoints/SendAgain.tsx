import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, api, type Schemas } from "~/api/client";
import { Button } from "~/kit/Button";
import { Dialog, FormDialog } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { SelectField, TextField } from "~/kit/Field";
import { Loading } from "~/kit/Loading";
import { Facts } from "~/kit/Page";
import { Time } from "~/kit/Time";
import styles from "./Endpoints.module.css";
import { type Named, replayQuery } from "./queries";

type Ended = NonNullable<Schemas["Recovery"]["status"]>;

const DAY_MS = 86_400_000;
const WORDS = {
  recover: {
    title: "Send failed deliveries again",
    text: "Deliveries that ended without success are sent again, in the background. The receiver can tell by the webhook-id that it has seen one before.",
    action: "Send them again",
  },
  backfill: {
    title: "Send earlier events",
    text: "Events that the endpoint never got are sent to it, in the background: those of its subscribed types, from before it subscribed, or while it was disabled or full.",
    action: "Send them",
  },
} as const;

interface SendAgainProps {
  path: Named;
  what: "recover" | "backfill";
  onClose: () => void;
}

/** Sends again everything since a time, and shows how far it has come. */
export function SendAgain({ path, what, onClose }: SendAgainProps) {
  const [since, setSince] = useState(() => localTime(new Date(Date.now() - DAY_MS)));
  const [status, setStatus] = useState<Ended>("dead");
  const words = WORDS[what];
  const start = useMutation({
    mutationFn: () => {
      const body = { since: new Date(since).toISOString() };
      return what === "recover"
        ? answer(
            api.POST("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}/recover", {
              params: { path },
              body: { ...body, status },
            }),
          )
        : answer(
            api.POST("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}/backfill", {
              params: { path },
              body,
            }),
          );
    },
  });
  if (start.data) {
    return <Progress id={start.data.id} title={words.title} onClose={onClose} />;
  }
  return (
    <FormDialog
      isOpen
      onClose={onClose}
      title={words.title}
      text={words.text}
      action={words.action}
      onSubmit={() => start.mutate()}
      isBusy={start.isPending}
      error={start.error}
      isDisabled={Number.isNaN(new Date(since).getTime())}
    >
      <TextField
        label="Accepted since"
        help="Compared with the time at which the event was accepted. In your time zone."
        type="datetime-local"
        value={since}
        onChange={(event) => setSince(event.target.value)}
      />
      {what === "recover" ? (
        <SelectField
          label="Which deliveries"
          value={status}
          onChange={(event) => setStatus(event.target.value as Ended)}
        >
          <option value="dead">Dead: all attempts failed</option>
          <option value="failed">Failed: they could never work</option>
          <option value="skipped">Skipped</option>
        </SelectField>
      ) : null}
    </FormDialog>
  );
}

const STATES = { running: "Running", done: "Done", paused: "Paused", cancelled: "Canceled" } as const;

function Progress({ id, title, onClose }: { id: string; title: string; onClose: () => void }) {
  const replay = useQuery(replayQuery(id));
  return (
    <Dialog isOpen onClose={onClose} title={title} text="It goes on when you close this.">
      {replay.error ? <ErrorNote error={replay.error} onRetry={() => void replay.refetch()} /> : null}
      {replay.data ? (
        <div aria-live="polite">
          <Facts
            facts={[
              ["State", STATES[replay.data.state]],
              ["Sent", replay.data.replayed.toLocaleString()],
              [
                "Left out",
                replay.data.unplayable > 0
                  ? `${replay.data.unplayable.toLocaleString()}: their content was deleted`
                  : null,
              ],
              ["Waits because", replay.data.waiting],
              [
                "Looked at until",
                replay.data.position ? <Time key="position" at={replay.data.position} /> : null,
              ],
            ]}
          />
        </div>
      ) : (
        <Loading />
      )}
      <div className={styles.buttons}>
        <Button onClick={onClose}>Close</Button>
      </div>
    </Dialog>
  );
}

/** Return a time as `datetime-local` has it. */
function localTime(moment: Date): string {
  const shifted = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}
