import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useReasons } from "~/api/reasons";
import { ErrorNote } from "~/kit/ErrorNote";
import { SelectField } from "~/kit/Field";
import { Loading } from "~/kit/Loading";
import { Card, EmptyState } from "~/kit/Page";
import { Time } from "~/kit/Time";
import { channelName } from "~/shell/channels";
import { Mail } from "./Mail";
import styles from "./message.module.css";
import { type Content, contentQuery, type Delivery, type Event } from "./queries";
import { Push, Sms, Webhook } from "./Shown";
import { Whom } from "./Whom";
import { adviceOn, hasArrived, isFinal, size, whom } from "./words";

/** What was sent of one delivery, attempt by attempt. */
export function ContentCard({ event, delivery }: { event: Event; delivery: Delivery }) {
  const { attempt } = useSearch({ from: "/frame/messages/$eventId" });
  const { data, error, refetch } = useQuery(contentQuery(delivery.id, attempt, delivery.updated_at ?? ""));
  if (data?.missing === "not_sent") {
    return <NotSent event={event} delivery={delivery} />;
  }
  const arrived = data?.stored ? hasArrived(event, data) : undefined;
  return (
    <div id="content">
      <Card
        title={`What was ${arrived === false ? "to be " : ""}sent: ${channelName(delivery.channel)}`}
        actions={data && data.attempts.length > 1 ? <Attempts content={data} /> : null}
      >
        <p className={styles.soft}>
          to <Whom delivery={delivery} event={event} />
          {data?.captured_at ? (
            <>
              , <Time at={data.captured_at} />
            </>
          ) : null}
          {data?.size_bytes ? `, ${size(data.size_bytes)}` : null}
          {data?.keep_days ? `. Kept for ${data.keep_days} days.` : null}
        </p>
        {arrived === false ? (
          <p>It was made for an attempt that failed: nobody confirmed that it arrived.</p>
        ) : null}
        {error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : null}
        {data ? <Shown content={data} attempt={attempt} arrived={arrived} /> : error ? null : <Loading />}
      </Card>
    </div>
  );
}

/** Stands in place of the content of a delivery that was skipped, failed before it was sent, or waits. */
function NotSent({ event, delivery }: { event: Event; delivery: Delivery }) {
  const word = delivery.parked ?? delivery.reason;
  const reason = useReasons()(word);
  const advice = adviceOn(reason, delivery.channel);
  const isOver = isFinal(delivery);
  return (
    <div id="content">
      <Card title={`Nothing was sent${isOver ? "" : " yet"}: ${channelName(delivery.channel)}`}>
        <p>
          {isOver ? "No message was handed over" : "No message has been handed over yet"}
          {whom(delivery, event) ? (
            <>
              {" "}
              for <Whom delivery={delivery} event={event} />
            </>
          ) : null}
          , so there is no content to show.{" "}
          {word
            ? `The reason: ${reason?.text ?? `${word}, a reason of another version.`}`
            : "It waits for its first attempt; the content appears here once it is sent."}
        </p>
        {advice ? (
          <p>
            <strong>What to do:</strong> {advice}
          </p>
        ) : null}
      </Card>
    </div>
  );
}

interface ShownProps {
  content: Content;
  attempt: string | undefined;
  /** Whether it arrived; undefined: not known. */
  arrived: boolean | undefined;
}

function Shown({ content, attempt, arrived }: ShownProps) {
  if (!content.stored) {
    return <EmptyState title="No content" text={content.why} />;
  }
  if (content.push) {
    return <Push push={content.push} />;
  }
  if (content.webhook) {
    return <Webhook webhook={content.webhook} />;
  }
  return content.channel === "EMAIL" ? (
    <Mail content={content} attempt={attempt} arrived={arrived} />
  ) : (
    <Sms content={content} />
  );
}

function Attempts({ content }: { content: Content }) {
  const navigate = useNavigate({ from: "/messages/$eventId" });
  return (
    <SelectField
      label="Attempt"
      isLabelHidden
      value={`${content.replay}.${content.attempt}`}
      onChange={(changed) =>
        void navigate({
          to: ".",
          search: (before) => ({ ...before, attempt: changed.target.value }),
          resetScroll: false,
          replace: true,
        })
      }
    >
      {content.attempts.map((one) => (
        <option key={`${one.replay}.${one.attempt}`} value={`${one.replay}.${one.attempt}`}>
          {one.replay > 0 ? `Replay ${one.replay}, attempt ${one.attempt}` : `Attempt ${one.attempt}`}
        </option>
      ))}
    </SelectField>
  );
}
