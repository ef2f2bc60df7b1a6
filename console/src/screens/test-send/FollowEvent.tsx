import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { answer, api } from "~/api/client";
import { useReasons } from "~/api/reasons";
import { StatusBadge } from "~/kit/Badge";
import { Button, LinkButton } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { channelName } from "~/shell/channels";
import styles from "./FollowEvent.module.css";

// The ledger is a second behind, and most tests are through within two.
const EVERY_MS = 700;
const MOST_MS = 120_000;

/** Follows an event until nothing more of it is tried, at most two minutes, and links to its page. */
export function FollowEvent({ eventId }: { eventId: string }) {
  const [isPatient, setPatient] = useState(true);
  useEffect(() => {
    if (!isPatient) {
      return;
    }
    const timer = setTimeout(() => setPatient(false), MOST_MS);
    return () => clearTimeout(timer);
  }, [isPatient]);
  const { data, error } = useQuery({
    queryKey: ["events", eventId, "follow"],
    queryFn: async ({ signal }) => {
      // A list, because the ledger may not have read the event yet: that is no error.
      const query = { event_id: eventId, limit: 1 };
      const page = await answer(api.GET("/api/v1/admin/events", { params: { query }, signal }));
      if (page.data.length === 0) {
        return null;
      }
      return answer(api.GET("/api/v1/admin/events/{id}", { params: { path: { id: eventId } }, signal }));
    },
    refetchInterval: (query) => (isPatient && !query.state.data?.finished_at ? EVERY_MS : false),
  });
  const isDone = Boolean(data?.finished_at);
  const reasonOf = useReasons();
  const textOf = (word: string | null) => reasonOf(word)?.text ?? word;
  return (
    <section className={styles.follow} aria-label="What became of the test" aria-live="polite">
      {error ? <ErrorNote error={error} /> : null}
      <p>{stateOf(textOf(data?.reason ?? null), data !== undefined && data !== null, isDone, isPatient)}</p>
      {data ? (
        <ul>
          {data.deliveries.map((one) => (
            <li key={one.id}>
              {channelName(one.channel)} <StatusBadge status={one.status} />{" "}
              {detailOf(data.timeline, one.id, textOf) ?? textOf(one.reason) ?? ""}
            </li>
          ))}
        </ul>
      ) : null}
      <div className={styles.actions}>
        {!isDone && !isPatient ? (
          <Button size="small" onClick={() => setPatient(true)}>
            Look again
          </Button>
        ) : null}
        <LinkButton size="small" to="/messages/$eventId" params={{ eventId }}>
          Open the message
        </LinkButton>
      </div>
    </section>
  );
}

function stateOf(reason: string | null, isKnown: boolean, isDone: boolean, isPatient: boolean): string {
  if (isDone) {
    return reason ? `Nothing was sent: ${reason}` : "The test is through.";
  }
  if (!isPatient) {
    return "It is still on its way after two minutes.";
  }
  return isKnown ? "On its way…" : "Accepted…";
}

interface Step {
  delivery_id: string | null;
  detail: string | null;
  reason: string | null;
  outcome: string;
}

/** Return why a delivery was not sent, in the words of its last step that says so. */
function detailOf(
  timeline: readonly Step[],
  deliveryId: string,
  textOf: (word: string | null) => string | null,
): string | null {
  const steps = timeline.filter((one) => one.delivery_id === deliveryId && one.outcome !== "ok");
  const last = steps.at(-1);
  if (last === undefined) {
    return null;
  }
  return [textOf(last.reason), last.detail].filter(Boolean).join(" ") || null;
}
