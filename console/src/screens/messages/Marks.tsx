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

/** What became of an event, at a glance: a mark for each delivery, or how many have each status. */
export function Marks({ event }: { event: Event }) {
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
  return (
    <ul className={styles.marks}>
      {event.deliveries.map((delivery) => (
        <Mark key={delivery.id} delivery={delivery} text={reasonText(delivery, reasonOf)} />
      ))}
    </ul>
  );
}

function Mark({ delivery, text }: { delivery: Delivery; text: string | undefined }) {
  const Icon = ICONS[delivery.channel];
  const isTrouble =
    ["failed", "dead", "bounced", "complained", "retrying"].includes(delivery.status ?? "") ||
    (delivery.status === "skipped" && delivery.reason !== "not_requested");
  return (
    <li className={styles.mark}>
      <Icon aria-hidden className={styles.icon} />
      <span className="unseen">{channelName(delivery.channel)}: </span>
      <StatusBadge status={delivery.status} {...(text && { title: text })} />
      {text && isTrouble ? <span className={styles.why}>{text}</span> : null}
      {text && !isTrouble ? <span className="unseen">{text}</span> : null}
    </li>
  );
}

function reasonText(delivery: Delivery, reasonOf: ReturnType<typeof useReasons>): string | undefined {
  const word = delivery.reason ?? delivery.parked;
  return word ? (reasonOf(word)?.text ?? word) : undefined;
}
