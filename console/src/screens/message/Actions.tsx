import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { may, useSession } from "~/api/session";
import { Button } from "~/kit/Button";
import { CodeBlock } from "~/kit/Copy";
import { Confirm, Dialog } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { notify, notifyError } from "~/kit/Toast";
import { tenantsQuery } from "~/shell/tenants";
import { hasFailed, mayRetry, replayAll, replayFailed, retry } from "./actions";
import styles from "./message.module.css";
import { bodyQuery, type Delivery, type Event, watch } from "./queries";

/** What can be done with an event as a whole, and with the delivery that is open. */
export function Actions({ event, delivery }: { event: Event; delivery: Delivery | undefined }) {
  const session = useSession();
  const tenant = useQuery(tenantsQuery).data?.find((one) => one.id === event.tenant_id);
  const mayReplay = may(session, "operator", tenant);
  const mayRetryThis =
    delivery !== undefined && mayRetry(delivery) && mayRetryRole(session, delivery, tenant);
  const hasFailures =
    event.deliveries.some((one) => one.channel !== "WEBHOOK" && hasFailed(one)) ||
    // Not all of them are here.
    (event.deliveries.length < event.delivery_count &&
      (event.counts.failed ?? 0) + (event.counts.dead ?? 0) > 0);
  return (
    <>
      {mayRetryThis ? <RetryButton event={event} delivery={delivery} /> : null}
      {mayReplay && hasFailures && event.finished_at ? <ReplayFailedButton event={event} /> : null}
      {mayReplay ? <ReplayButton event={event} /> : null}
      <CurlButton event={event} />
    </>
  );
}

function mayRetryRole(
  session: Parameters<typeof may>[0],
  delivery: Delivery,
  tenant: Parameters<typeof may>[2],
): boolean {
  return may(session, delivery.channel === "WEBHOOK" ? "developer" : "operator", tenant);
}

function useAgain(event: Event) {
  const queries = useQueryClient();
  return () => {
    watch(event.id);
    void queries.invalidateQueries({ queryKey: ["events", event.id] });
    void queries.invalidateQueries({ queryKey: ["deliveries"] });
  };
}

function RetryButton({ event, delivery }: { event: Event; delivery: Delivery }) {
  const again = useAgain(event);
  const sending = useMutation({
    mutationFn: () => retry(delivery, event.tenant_id),
    onSuccess: () => {
      notify("It is sent again. This page follows it.");
      again();
    },
    onError: notifyError,
  });
  return (
    <Button look="primary" isBusy={sending.isPending} onClick={() => sending.mutate()}>
      Retry this delivery
    </Button>
  );
}

function ReplayFailedButton({ event }: { event: Event }) {
  const navigate = useNavigate();
  const again = useAgain(event);
  const sending = useMutation({
    mutationFn: () => replayFailed(event),
    onSuccess: (made) => {
      again();
      const [only] = made;
      if (made.length === 1 && only) {
        void navigate({ to: "/messages/$eventId", params: { eventId: only } });
      }
      notify(
        made.length === 0
          ? "Nothing of it can be replayed this way. Retry its deliveries one by one."
          : made.length === 1
            ? "Sent again as a new message, which you see now."
            : `Sent again as ${made.length} new messages. This page links to them.`,
      );
    },
    onError: notifyError,
  });
  return (
    <Button isBusy={sending.isPending} onClick={() => sending.mutate()}>
      Replay what was not sent
    </Button>
  );
}

function ReplayButton({ event }: { event: Event }) {
  const navigate = useNavigate();
  const again = useAgain(event);
  const [isOpen, setOpen] = useState(false);
  const sending = useMutation({
    mutationFn: () => replayAll(event),
    onSuccess: (id) => {
      setOpen(false);
      again();
      notify("Sent again as a new message, which you see now.");
      void navigate({ to: "/messages/$eventId", params: { eventId: id } });
    },
  });
  return (
    <>
      <Button onClick={() => setOpen(true)}>Replay all</Button>
      <Confirm
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        title="Send the whole event again?"
        text="Everybody it was for gets it once more, also those who have it already. It uses the templates and providers of today."
        action="Replay all"
        onSubmit={() => sending.mutate()}
        isBusy={sending.isPending}
        error={sending.error}
      />
    </>
  );
}

function CurlButton({ event }: { event: Event }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)}>Copy as curl</Button>
      <Dialog
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        title="Send it once more from a shell"
        text="Put your own key in the place of the placeholder. A copy is a new event: it is sent again."
        isWide
      >
        <Curl event={event} />
        <div className={styles.bar}>
          <Button onClick={() => setOpen(false)}>Close</Button>
        </div>
      </Dialog>
    </>
  );
}

function Curl({ event }: { event: Event }) {
  const { data, error, refetch } = useQuery(bodyQuery(event.id));
  if (error) {
    return <ErrorNote error={error} onRetry={() => void refetch()} />;
  }
  if (!data) {
    return <Loading />;
  }
  return data.request ? (
    <CodeBlock text={data.request.curl.replace("$CLARION_URL", location.origin)} what="the command" />
  ) : (
    <p>{data.why}</p>
  );
}
