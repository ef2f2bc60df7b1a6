import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useReasons } from "~/api/reasons";
import { ExactTime } from "~/kit/Time";
import { channelName } from "~/shell/channels";
import { ObjectLink } from "~/shell/ObjectLink";
import styles from "./Answer.module.css";
import { outcomeOf } from "./outcome";
import type { Delivery, Event } from "./queries";
import type { Replay } from "./words";

// Replays that are named; the timeline has all of them.
const MOST_REPLAYS = 3;

/** What became of the message in one sentence, what to do next, and how it was sent again. */
export function Answer({ event }: { event: Event }) {
  const reasonOf = useReasons();
  const outcome = outcomeOf(event, reasonOf);
  return (
    <section className={styles.answer} data-tone={outcome.tone} aria-label="In one sentence">
      {outcome.replays.length > 0 ? <SentAgain replays={outcome.replays} /> : null}
      <p className={styles.sentence} aria-live="polite">
        {outcome.words.map((one, index) => {
          const key = `${index}`;
          if (typeof one === "string") {
            return one;
          }
          // What somebody else wrote stays text, in its own direction.
          return "name" in one ? <bdi key={key}>{one.name}</bdi> : <ExactTime key={key} at={one.at} />;
        })}
      </p>
      {outcome.todo ? (
        <p>
          <strong>What to do:</strong> {outcome.todo}{" "}
          {outcome.about ? <Next event={event} delivery={outcome.about} /> : <NextOfEvent event={event} />}
        </p>
      ) : null}
      {event.replay_of ? (
        <p>
          It is a replay of <MessageLink id={event.replay_of}>an earlier message</MessageLink>.
        </p>
      ) : null}
    </section>
  );
}

/** That the message was sent again: as which events, the newest first, and when. */
function SentAgain({ replays }: { replays: readonly Replay[] }) {
  const rest = replays.length - MOST_REPLAYS;
  return (
    <p aria-live="polite">
      <strong>Sent again</strong> as{" "}
      {replays.slice(0, MOST_REPLAYS).map(({ id }, index) => (
        <span key={id}>
          {index > 0 ? ", " : ""}
          <MessageLink id={id}>
            {replays.length === 1 ? "a new message" : `message …${id.slice(-6)}`}
          </MessageLink>
        </span>
      ))}
      {rest > 0 ? ` and ${rest} more` : ""}
      {replays.length === 1 ? " at " : ", the last time at "}
      <ExactTime at={replays[0]?.at} />: see there what became of it. What follows is about this message.
    </p>
  );
}

function MessageLink({ id, children }: { id: string; children: ReactNode }) {
  return (
    <Link to="/messages/$eventId" params={{ eventId: id }} search={{}}>
      {children}
    </Link>
  );
}

/** A link to where the advice on a delivery is followed, if there is such a page. */
function Next({ event, delivery }: { event: Event; delivery: Delivery }) {
  const tenant = event.tenant_id;
  const reason = delivery.reason ?? delivery.parked ?? "";
  const steps = event.timeline.filter((one) => one.delivery_id === delivery.id);
  const providerId = steps.findLast((one) => one.provider_id)?.provider_id;
  const versionId = steps.findLast((one) => one.template_version_id)?.template_version_id;
  const userId = (delivery.recipient ?? event.recipient)?.user_id;
  if (reason.startsWith("suppressed_") && delivery.channel !== "WEBHOOK") {
    return (
      <Link to="/suppressions" search={{ tenant }}>
        Open the suppressions
      </Link>
    );
  }
  if (reason === "no_provider" || reason === "provider_gone") {
    return (
      <Link to="/providers/new" search={{ tenant }}>
        Add a provider
      </Link>
    );
  }
  if (/^(?:no_active_template|no_template_for_locale)$/.test(reason)) {
    return <NewTemplate event={event} channel={delivery.channel} />;
  }
  if (
    /^(?:template_error|render_|output_too_large|empty_content|sms_too_long|invalid_push)/.test(reason) &&
    versionId
  ) {
    return (
      <Link to="/templates/$templateId/edit" params={{ templateId: versionId }} search={{ tenant }}>
        Open the template
      </Link>
    );
  }
  if (delivery.endpoint_id) {
    return (
      <ObjectLink area="endpoints" id={delivery.endpoint_id}>
        Open the endpoint
      </ObjectLink>
    );
  }
  if (/^(?:provider_|sender_refused|address_not_allowed|smtputf8)/.test(reason) && providerId) {
    return (
      <ObjectLink area="providers" id={providerId}>
        Open the provider
      </ObjectLink>
    );
  }
  if (
    /^(?:missing_|malformed_|invalid_recipient|recipient_refused|hard_bounce|channel_muted)/.test(reason) &&
    userId
  ) {
    return (
      <Link to="/recipients/$recipientId" params={{ recipientId: userId }} search={{ tenant }}>
        Open the recipient
      </Link>
    );
  }
  return reason === "tenant_policy" ? (
    <Link to="/tenants/$tenantId/settings" params={{ tenantId: tenant }} search={{ tenant }}>
      Open the tenant’s settings
    </Link>
  ) : null;
}

function NextOfEvent({ event }: { event: Event }) {
  if (event.reason === "no_active_template") {
    return <NewTemplate event={event} channel="EMAIL" />;
  }
  return event.reason === "no_subscriber" ? (
    <Link to="/endpoints" search={{ tenant: event.tenant_id }}>
      Open the endpoints
    </Link>
  ) : null;
}

function NewTemplate({ event, channel }: { event: Event; channel: Delivery["channel"] }) {
  return channel === "WEBHOOK" ? null : (
    <Link
      to="/templates"
      search={{ tenant: event.tenant_id, q: event.event_type }}
      aria-label={`Open the templates of ${event.event_type}, for ${channelName(channel)}`}
    >
      Open its templates
    </Link>
  );
}
