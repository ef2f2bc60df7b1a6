import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { answer, api, type Schemas } from "~/api/client";
import { Badge, StatusBadge } from "~/kit/Badge";
import { Button } from "~/kit/Button";
import { CodeBlock, Copyable } from "~/kit/Copy";
import { Dialog } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Facts } from "~/kit/Page";
import { duration, ExactTime, Time } from "~/kit/Time";
import { notify } from "~/kit/Toast";
import styles from "./Endpoints.module.css";
import { type Attempt, attemptsQuery, type Delivery, type Named } from "./queries";

// An attempt may be under way.
const EVERY_MS = 3_000;
const RETRYABLE = new Set(["failed", "dead", "skipped"]);

interface DeliveryDialogProps {
  path: Named;
  deliveryId: string;
  /** Undefined: it is not among the rows that are shown. */
  delivery: Delivery | undefined;
  mayChange: boolean;
  onClose: () => void;
}

/** One delivery: its attempts, each with the answer folded, and sending it again. */
export function DeliveryDialog({ path, deliveryId, delivery, mayChange, onClose }: DeliveryDialogProps) {
  const queries = useQueryClient();
  const attempts = useQuery({ ...attemptsQuery(path.id, deliveryId), refetchInterval: EVERY_MS });
  const retry = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/v1/admin/tenants/{id}/deliveries/{delivery_id}/retry", {
          params: { path: { id: path.id, delivery_id: deliveryId } },
        }),
      ),
    onSuccess: () => {
      notify("The delivery is sent again.");
      void queries.invalidateQueries({ queryKey: ["endpoints"] });
      return queries.invalidateQueries({ queryKey: ["deliveries", deliveryId] });
    },
  });
  const canRetry = mayChange && delivery && RETRYABLE.has(delivery.status ?? "") && delivery.has_content;
  return (
    <Dialog isOpen onClose={onClose} title={delivery?.event_type ?? "Delivery"} isWide>
      {delivery ? (
        <Facts
          facts={[
            ["Status", <StatusBadge key="status" status={delivery.status} />],
            ["Why", delivery.reason_text],
            ["Accepted", <Time key="accepted" at={delivery.created_at} />],
            [
              "Event",
              <Link key="event" to="/messages/$eventId" params={{ eventId: delivery.event_id }}>
                {delivery.event_id}
              </Link>,
            ],
            [
              "Next attempt",
              delivery.next_attempt_at ? <Time key="next" at={delivery.next_attempt_at} /> : null,
            ],
            ["Content", delivery.has_content ? null : "Deleted: it cannot be sent again"],
          ]}
        />
      ) : null}
      <Facts facts={[["Delivery", <Copyable key="id" text={deliveryId} what="the delivery's id" />]]} />
      <h3>Attempts</h3>
      {attempts.error ? <ErrorNote error={attempts.error} onRetry={() => void attempts.refetch()} /> : null}
      {attempts.data ? (
        attempts.data.length === 0 ? (
          <p>No attempt is recorded yet.</p>
        ) : (
          <ol className={styles.attempts} aria-label="Attempts">
            {attempts.data.map((one) => (
              <OneAttempt key={one.id} attempt={one} />
            ))}
          </ol>
        )
      ) : attempts.error ? null : (
        <Loading />
      )}
      {retry.error ? <ErrorNote error={retry.error} /> : null}
      <div className={styles.buttons}>
        <Button onClick={onClose}>Close</Button>
        {canRetry ? (
          <Button look="primary" onClick={() => retry.mutate()} isBusy={retry.isPending}>
            Send it again
          </Button>
        ) : null}
      </div>
    </Dialog>
  );
}

function OneAttempt({ attempt }: { attempt: Attempt }) {
  const http = attempt.http;
  return (
    <li className={styles.attempt}>
      <p>
        {attempt.attempt > 0 ? `Attempt ${attempt.attempt}` : "A try while it was down"},{" "}
        <ExactTime at={attempt.time} />, {duration(attempt.duration_ms)}{" "}
        <StatusBadge status={attempt.status} /> {http ? <HttpStatus status={http.status} /> : null}
      </p>
      {attempt.reason_text ? <p>{attempt.reason_text}</p> : null}
      {attempt.detail ? <code>{attempt.detail}</code> : null}
      {http && http.status !== null ? (
        <details>
          <summary>Answer of the receiver</summary>
          <Answer http={http} />
        </details>
      ) : null}
    </li>
  );
}

function HttpStatus({ status }: { status: number | null }) {
  if (status === null) {
    return <Badge tone="bad">No answer</Badge>;
  }
  return <Badge tone={status >= 200 && status < 300 ? "good" : "bad"}>{`HTTP ${status}`}</Badge>;
}

function Answer({ http }: { http: Schemas["HttpExchange"] }) {
  const headers = http.headers.map((one) => `${one.name}: ${one.value}`).join("\n");
  return (
    <div className={styles.stack}>
      <p>
        <code>{http.url}</code>
      </p>
      {headers ? <CodeBlock text={headers} what="the headers" /> : null}
      {http.body ? <CodeBlock text={http.body} what="the body" /> : <p>The body is empty.</p>}
      {http.is_cut ? <p className={styles.soft}>Only the beginning is kept.</p> : null}
    </div>
  );
}
