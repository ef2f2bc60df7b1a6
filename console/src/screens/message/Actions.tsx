import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import type { Schemas } from "~/api/client";
import { may, useSession } from "~/api/session";
import { Button, LinkButton } from "~/kit/Button";
import { CodeBlock } from "~/kit/Copy";
import { Confirm, Dialog } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { ExactTime } from "~/kit/Time";
import { notify, notifyError } from "~/kit/Toast";
import { tenantsQuery } from "~/shell/tenants";
import { hasFailed, mayRetry, replayAll, replayFailed, retry } from "./actions";
import styles from "./message.module.css";
import { bodyQuery, type Delivery, type Event, eventQuery, watch } from "./queries";
import { isUnderWay, replaysOf } from "./words";

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
      {event.has_workflows || event.several_recipients || event.due_at ? (
        <LinkButton to="/triggers/$eventId" params={{ eventId: event.id }}>
          Open the trigger
        </LinkButton>
      ) : null}
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
  const queries = useQueryClient();
  const navigate = useNavigate();
  const again = useAgain(event);
  // The event as it is when it turns out that it was sent again before: then that has to be confirmed.
  const [asked, setAsked] = useState<Event>();
  const sending = useMutation({
    mutationFn: () => replayFailed(event),
    onSuccess: (made) => {
      setAsked(undefined);
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
    onError: (error) => {
      if (!asked) {
        notifyError(error);
      }
    },
  });
  // Somebody else may have sent it again since this page was read.
  const looking = useMutation({
    mutationFn: () => queries.fetchQuery({ ...eventQuery(event.id), staleTime: 0 }),
    onSuccess: (now) => {
      if (replaysOf(now).length > 0) {
        sending.reset();
        setAsked(now);
      } else {
        sending.mutate();
      }
    },
    onError: notifyError,
  });
  return (
    <>
      <Button isBusy={looking.isPending || (sending.isPending && !asked)} onClick={() => looking.mutate()}>
        Replay what was not sent
      </Button>
      <Confirm
        isOpen={asked !== undefined}
        onClose={() => setAsked(undefined)}
        title="Send it once more?"
        text={
          <>
            <SentAgainAt event={asked ?? event} />
            People who received it then receive it twice. Send it once more?
          </>
        }
        action="Send it once more"
        onSubmit={() => sending.mutate()}
        isBusy={sending.isPending}
        error={sending.error}
      />
    </>
  );
}

/** When an event was sent again last, as a sentence; nothing if it was not. */
function SentAgainAt({ event }: { event: Event }) {
  const [last] = replaysOf(event);
  return last ? (
    <>
      It was sent again at <ExactTime at={last.at} />.{" "}
    </>
  ) : null;
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
        text={
          <>
            <SentAgainAt event={event} />
            Everybody it was for gets it once more, also those who have it already. It uses the templates and
            providers of today.
            {isUnderWay(event)
              ? " The original is still being tried. If it succeeds as well, people receive the message twice."
              : ""}
          </>
        }
        action="Replay all"
        onSubmit={() => sending.mutate()}
        isBusy={sending.isPending}
        error={sending.error}
      />
    </>
  );
}

function CurlButton({ event }: { event: Event }) {
  const queries = useQueryClient();
  const [isOpen, setOpen] = useState(false);
  const copying = useMutation({
    mutationFn: async () => {
      const command = commandOf(await queries.ensureQueryData(bodyQuery(event.id)));
      if (command) {
        await navigator.clipboard.writeText(command);
      }
      return command !== "";
    },
  });
  return (
    <>
      <Button
        onClick={() => {
          setOpen(true);
          copying.mutate();
        }}
      >
        Copy as curl
      </Button>
      <Dialog
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        title="Send it once more from a shell"
        text="Put your own key in the place of the placeholder. Each time the command runs, it makes a new event: what it carries is sent again."
        isWide
      >
        <p role="status">
          {copying.data ? "This command is in the clipboard." : null}
          {copying.isError
            ? "The command could not be copied: select it, or use the button beside it."
            : null}
        </p>
        <Curl event={event} />
        <div className={styles.bar}>
          <Button onClick={() => setOpen(false)}>Close</Button>
        </div>
      </Dialog>
    </>
  );
}

/** Return the command that sends an event once more to this gateway; empty: there is none. */
function commandOf(body: Schemas["EventBody"]): string {
  return body.request?.curl.replace("$CLARION_URL", location.origin) ?? "";
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
    <CodeBlock text={commandOf(data)} what="the command" />
  ) : (
    <p>{data.why ?? "No command sends a direct message once more. Use “Replay all”."}</p>
  );
}
