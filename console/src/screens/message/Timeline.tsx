import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useReasons } from "~/api/reasons";
import { StatusBadge } from "~/kit/Badge";
import { Copyable } from "~/kit/Copy";
import { classes } from "~/kit/classes";
import { duration, ExactTime } from "~/kit/Time";
import { channelName } from "~/shell/channels";
import { ObjectLink } from "~/shell/ObjectLink";
import { HttpFold } from "./HttpFold";
import styles from "./message.module.css";
import { adviceOf } from "./outcome";
import { type Delivery, deliveryQuery, type Event, type Step } from "./queries";
import { Whom } from "./Whom";
import { adviceOn, isUnsent, stepName } from "./words";

// What happens at the time of a step that has another one to come.
const NEXT: Readonly<Record<string, string>> = { waiting: "Is sent at ", workflow: "Goes on at " };

/** The steps of the event as a whole. */
export function EventSteps({ steps }: { steps: readonly Step[] }) {
  return (
    <ol className={styles.steps}>
      {steps.map((step, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: steps have no ids, and only grow at the end
        <StepRow key={index} step={step} />
      ))}
    </ol>
  );
}

/** One delivery: whom it is for, how it stands, and its steps. isOpen: its content is shown below. */
export function DeliverySteps({
  event,
  delivery,
  isOpen,
}: {
  event: Event;
  delivery: Delivery;
  isOpen: boolean;
}) {
  const own = event.timeline.filter((step) => step.delivery_id === delivery.id);
  // Only the delivery's own timeline has what was answered.
  const hasCalls = own.some((step) => step.http);
  const { data } = useQuery({
    ...deliveryQuery(delivery.id, delivery.updated_at ?? ""),
    enabled: hasCalls || own.length === 0,
  });
  const steps = data && data.timeline.length >= own.length ? data.timeline : own;
  return (
    <section
      className={classes(styles.delivery, isOpen && styles.open)}
      aria-label={channelName(delivery.channel)}
    >
      <div className={styles.deliveryHead}>
        <h3>{channelName(delivery.channel)}</h3>
        <StatusBadge status={delivery.status} />
        <span className={styles.whom}>
          <WhomLink event={event} delivery={delivery} />
        </span>
        <Link
          from="/messages/$eventId"
          to="/messages/$eventId"
          params={{ eventId: event.id }}
          search={(before) => ({ ...before, delivery: delivery.id, attempt: undefined })}
          hash="content"
          aria-current={isOpen ? "true" : undefined}
        >
          {contentName(delivery)}
        </Link>
      </div>
      <ol className={styles.steps}>
        {steps.map((step, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: steps have no ids, and only grow at the end
          <StepRow key={index} step={step} channel={delivery.channel} />
        ))}
      </ol>
    </section>
  );
}

function contentName(delivery: Delivery): string {
  if (isUnsent(delivery)) {
    return "Why nothing was sent";
  }
  const isFailing = ["failed", "dead", "retrying"].includes(delivery.status ?? "");
  return isFailing && delivery.channel !== "WEBHOOK" ? "What was to be sent" : "What was sent";
}

function WhomLink({ event, delivery }: { event: Event; delivery: Delivery }) {
  const name = <Whom delivery={delivery} event={event} />;
  const userId = (delivery.recipient ?? event.recipient)?.user_id;
  if (delivery.endpoint_id) {
    return (
      <ObjectLink area="endpoints" id={delivery.endpoint_id}>
        {name}
      </ObjectLink>
    );
  }
  return userId ? (
    <Link to="/recipients/$recipientId" params={{ recipientId: userId }} search={{ tenant: event.tenant_id }}>
      {name}
    </Link>
  ) : (
    name
  );
}

function StepRow({ step, channel }: { step: Step; channel?: Delivery["channel"] }) {
  const reason = useReasons()(step.reason);
  // After the last attempt nothing is tried again by itself, so that waiting is no advice.
  const isOver = step.step === "dead" || step.step === "failed";
  const advice =
    isOver && reason ? adviceOf(reason, step.step, channel) : adviceOn(reason, channel ?? step.channel);
  const facts = [
    step.duration_ms > 0 && `took ${duration(step.duration_ms)}`,
    step.wait_ms > 0 && `waited ${duration(step.wait_ms)} before`,
    step.attempt && step.service !== "render" && `attempt ${step.attempt}`,
    step.replay > 0 && `replay ${step.replay}`,
    step.sms &&
      `${step.sms.segments} ${step.sms.segments === 1 ? "segment" : "segments"}, ${step.sms.encoding}`,
    step.service && `by ${step.service}`,
  ].filter(Boolean);
  return (
    <li className={styles.step} data-outcome={step.outcome}>
      <div className={styles.stepTime}>
        <ExactTime at={step.time} />
      </div>
      <div className={styles.stepBody}>
        <p>
          <strong>{stepName(step)}</strong> <span className={styles.soft}>{facts.join(" · ")}</span>
        </p>
        {step.reason ? (
          <p className={styles.reason}>
            {reason?.text ?? "A reason of another version."} <code>{step.reason}</code>
          </p>
        ) : null}
        {advice && step.outcome !== "ok" ? <p className={styles.soft}>What to do: {advice}</p> : null}
        <Detail step={step} />
        {step.next_attempt_at ? (
          <p>
            {NEXT[step.step] ?? "Next attempt at "}
            <ExactTime at={step.next_attempt_at} />
          </p>
        ) : null}
        <StepLinks step={step} />
        {step.http ? <HttpFold http={step.http} /> : null}
      </div>
    </li>
  );
}

function Detail({ step }: { step: Step }) {
  if (!step.detail) {
    return null;
  }
  if (step.step === "replayed") {
    return (
      <p>
        as{" "}
        <Link to="/messages/$eventId" params={{ eventId: step.detail }}>
          {step.detail}
        </Link>
      </p>
    );
  }
  // What providers wrote is hostile text: it stays text, in its own direction.
  return (
    <p className={styles.detail}>
      <bdi>{step.detail}</bdi>
    </p>
  );
}

function StepLinks({ step }: { step: Step }) {
  return (
    <>
      {step.provider && step.provider !== step.service ? (
        <p className={styles.soft}>
          {step.provider_id ? (
            <ObjectLink area="providers" id={step.provider_id}>
              provider {step.provider}
            </ObjectLink>
          ) : (
            `by way of ${step.provider}`
          )}
          {step.provider_message_id ? (
            <>
              , its id <Copyable text={step.provider_message_id} what="the provider’s message id" />
            </>
          ) : null}
        </p>
      ) : null}
      {step.template_version_id ? (
        <p className={styles.soft}>
          <ObjectLink area="templates" id={step.template_version_id}>
            its template
          </ObjectLink>
        </p>
      ) : null}
    </>
  );
}
