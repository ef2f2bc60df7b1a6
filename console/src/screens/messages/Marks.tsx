import { Bell, Mail, MessageSquare, Webhook } from "lucide-react";
import { useReasons } from "~/api/reasons";
import { Badge, StatusBadge } from "~/kit/Badge";
import { Time } from "~/kit/Time";
import { channelName } from "~/shell/channels";
import styles from "./Messages.module.css";
import type { Event } from "./queries";

type Delivery = Event["deliveries"][number];

const ICONS = { EMAIL: Mail, SMS: MessageSquare, PUSH: Bell, WEBHOOK: Webhook };
// More deliveries than these are counted by status.
const MOST = 6;

interface MarksProps {
  event: Event;
  /** Also show the channels that nobody asked for. */
  isWhole?: boolean;
}

/** What became of an event, at a glance: a mark for each delivery, or how many have each status; and its replays. */
export function Marks({ event, isWhole = false }: MarksProps) {
  return (
    <>
      <Deliveries event={event} isWhole={isWhole} />
      {event.replayed ? <p className={styles.why}>sent again</p> : null}
    </>
  );
}

function Deliveries({ event, isWhole }: MarksProps) {
  const reasonOf = useReasons();
  if (event.waiting) {
    return (
      <Badge tone="calm">
        due&nbsp;
        <Time at={event.due_at} />
      </Badge>
    );
  }
  if (event.delivery_count === 0) {
    if (event.reason) {
      const text = reasonOf(event.reason)?.text ?? event.reason;
      return (
        <div className={styles.marks}>
          <Badge>{event.reason === "canceled" ? "canceled" : "nothing sent"}</Badge>
          <span className={styles.why}>{text}</span>
        </div>
      );
    }
    return <Badge tone="calm">accepted</Badge>;
  }
  if (event.delivery_count > MOST) {
    return (
      <ul className={styles.marks}>
        {Object.entries(event.counts).map(([status, count]) => (
          <li key={status} className={styles.mark}>
            <span className={styles.count}>{count}</span>
            <StatusBadge status={status} />
          </li>
        ))}
      </ul>
    );
  }
  const asked = event.deliveries.filter((one) => isWhole || !isUnasked(one));
  if (asked.length === 0) {
    return <Badge>not requested</Badge>;
  }
  return (
    <ul className={styles.marks}>
      {asked.map((delivery) => (
        <Mark key={delivery.id} delivery={delivery} text={reasonText(delivery, reasonOf)} />
      ))}
    </ul>
  );
}

function Mark({ delivery, text }: { delivery: Delivery; text: string | undefined }) {
  const Icon = ICONS[delivery.channel];
  const isTrouble = ["failed", "dead", "bounced", "complained", "retrying", "skipped"].includes(
    delivery.status ?? "",
  );
  return (
    <li className={styles.mark}>
      <Icon aria-hidden className={styles.icon} />
      <span className="unseen">{channelName(delivery.channel)}: </span>
      {isUnasked(delivery) ? (
        <Badge>not requested</Badge>
      ) : (
        <StatusBadge status={delivery.status} {...(text && { title: text })} />
      )}
      {text && isTrouble && !isUnasked(delivery) ? <span className={styles.why}>{text}</span> : null}
      {text && !isTrouble ? <span className="unseen">{text}</span> : null}
    </li>
  );
}

function isUnasked(delivery: Delivery): boolean {
  return delivery.status === "skipped" && delivery.reason === "not_requested";
}

function reasonText(delivery: Delivery, reasonOf: ReturnType<typeof useReasons>): string | undefined {
  const word = delivery.reason ?? delivery.parked;
  return word ? (reasonOf(word)?.text ?? word) : undefined;
}
