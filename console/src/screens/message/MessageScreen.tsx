import { useQuery } from "@tanstack/react-query";
import { createLazyRoute, Link, useParams, useSearch } from "@tanstack/react-router";
import type { Schemas } from "~/api/client";
import { Problem } from "~/api/problem";
import { Badge, StatusBadge } from "~/kit/Badge";
import { LinkButton } from "~/kit/Button";
import { CodeBlock, Copyable } from "~/kit/Copy";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Card, EmptyState, Facts, Page } from "~/kit/Page";
import { Time } from "~/kit/Time";
import { channelName } from "~/shell/channels";
import { ObjectLink } from "~/shell/ObjectLink";
import { useOwnTenant, useTenantName } from "~/shell/tenants";
import { Actions } from "./Actions";
import { Answer } from "./Answer";
import { hasFailed } from "./actions";
import { ContentCard } from "./ContentCard";
import { DeliveryList } from "./DeliveryList";
import styles from "./message.module.css";
import { bodyQuery, type Delivery, deliveryQuery, type Event, eventQuery } from "./queries";
import { DeliverySteps, EventSteps } from "./Timeline";

export const lazyRoute = createLazyRoute("/frame/messages/$eventId")({ component: MessageScreen });

// With more deliveries, they are a list, and one of them is open.
const MOST_AT_ONCE = 8;

function MessageScreen() {
  const { eventId } = useParams({ from: "/frame/messages/$eventId" });
  const { data, error, refetch } = useQuery(eventQuery(eventId));
  if (data) {
    return <Message event={data} />;
  }
  if (error instanceof Problem && (error.status === 404 || error.status === 422)) {
    return (
      <Page title="Not found">
        <EmptyState
          title="There is no such message"
          text="The id may be mistyped, or its days are over. An event that was sent a moment ago appears within seconds. You see messages of the tenants that you have a role for."
          action={<LinkButton to="/messages">Go to Messages</LinkButton>}
        />
      </Page>
    );
  }
  return (
    <Page title="Message">
      {error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : <Loading />}
    </Page>
  );
}

function Message({ event }: { event: Event }) {
  useOwnTenant(event.tenant_id);
  const open = useOpenDelivery(event);
  const isLong = event.delivery_count > MOST_AT_ONCE;
  return (
    <Page
      title={event.event_type}
      heading={<bdi>{event.event_type}</bdi>}
      text={<Summary event={event} isLong={isLong} />}
      actions={<Actions event={event} delivery={open} />}
    >
      <Answer event={event} />
      <Head event={event} />
      <Card title="What happened">
        <EventSteps steps={event.timeline.filter((step) => step.delivery_id === null)} />
        {isLong ? (
          <>
            <DeliveryList event={event} />
            <div id="delivery">{open ? <DeliverySteps event={event} delivery={open} isOpen /> : null}</div>
          </>
        ) : (
          <div className={styles.deliveries}>
            {event.deliveries.map((delivery) => (
              <DeliverySteps
                key={delivery.id}
                event={event}
                delivery={delivery}
                isOpen={delivery.id === open?.id}
              />
            ))}
          </div>
        )}
      </Card>
      {open ? <ContentCard key={open.id} event={event} delivery={open} /> : null}
      <Carried event={event} />
    </Page>
  );
}

/** Return the delivery that the URL names; else the first that failed, else the first that was tried. */
function useOpenDelivery(event: Event): Delivery | undefined {
  const { delivery: wanted } = useSearch({ from: "/frame/messages/$eventId" });
  const listed = event.deliveries.find((one) => one.id === wanted);
  const { data: other } = useQuery({
    ...deliveryQuery(wanted ?? "", event.finished_at ?? ""),
    enabled: wanted !== undefined && listed === undefined,
  });
  if (wanted) {
    return listed ?? (other?.event_id === event.id ? other : undefined);
  }
  return (
    event.deliveries.find((one) => hasFailed(one) && one.status !== "skipped") ??
    event.deliveries.find((one) => one.status !== "skipped") ??
    event.deliveries[0]
  );
}

/** What the sentence above does not say: how many deliveries have each status, and that it is a test. */
function Summary({ event, isLong }: { event: Event; isLong: boolean }) {
  return (
    <span className={styles.counts}>
      {event.finished_at ? null : (
        <Badge tone="calm">{event.waiting ? "waits for its time" : "under way"}</Badge>
      )}
      {isLong
        ? Object.entries(event.counts).map(([status, count]) => (
            <span key={status}>
              <StatusBadge status={status} /> {count}
            </span>
          ))
        : null}
      {event.test ? <Badge>test</Badge> : null}
    </span>
  );
}

function Head({ event }: { event: Event }) {
  const tenantName = useTenantName();
  return (
    <Card title="Event">
      <Facts
        facts={[
          [
            "Tenant",
            <ObjectLink key="tenant" area="tenants" id={event.tenant_id}>
              <bdi>{tenantName(event.tenant_id)}</bdi>
            </ObjectLink>,
          ],
          ["Accepted", <Time key="accepted" at={event.accepted_at} />],
          ["Due", event.due_at ? <Time key="due" at={event.due_at} /> : null],
          ["Finished", event.finished_at ? <Time key="finished" at={event.finished_at} /> : "not yet"],
          ["Recipient", <Recipient key="recipient" event={event} />],
          ["Event id", <Copyable key="id" text={event.id} what="the event id" />],
          [
            "The caller’s id",
            event.caller_event_id ? (
              <Copyable key="caller" text={event.caller_event_id} what="the caller’s id" />
            ) : null,
          ],
          [
            "Trace id",
            event.trace_id ? <Copyable key="trace" text={event.trace_id} what="the trace id" /> : null,
          ],
          [
            "Replay of",
            event.replay_of ? (
              <Link key="replay" to="/messages/$eventId" params={{ eventId: event.replay_of }}>
                {event.replay_of}
              </Link>
            ) : null,
          ],
        ]}
      />
    </Card>
  );
}

function Recipient({ event }: { event: Event }) {
  const person = event.recipient;
  if (!person) {
    return event.several_recipients ? "several" : "none";
  }
  const addresses = [person.email, person.phone].filter(Boolean).join(", ");
  return (
    <>
      {person.user_id ? (
        <Link
          to="/recipients/$recipientId"
          params={{ recipientId: person.user_id }}
          search={{ tenant: event.tenant_id }}
        >
          <bdi>{person.user_id}</bdi>
        </Link>
      ) : null}{" "}
      <bdi>{addresses}</bdi>
    </>
  );
}

/** What a direct message sends instead of what its event type means. */
function DirectMessage({ direct }: { direct: Schemas["DirectMessage"] }) {
  const sender = [direct.sender_name, direct.sender_email && `<${direct.sender_email}>`]
    .filter(Boolean)
    .join(" ");
  const texts = [
    ["Subject", direct.subject],
    ["Body", direct.body],
    ["Text", direct.text],
  ] as const;
  return (
    <>
      <h3>Direct message: {channelName(direct.channel)}</h3>
      {direct.template_key ? (
        <p>
          With the active template of <bdi>{direct.template_key}</bdi>.
        </p>
      ) : null}
      {sender ? (
        <p>
          From <bdi>{sender}</bdi>.
        </p>
      ) : null}
      {direct.reply_to ? (
        <p>
          Replies go to <bdi>{direct.reply_to}</bdi>.
        </p>
      ) : null}
      {texts.map(([name, text]) =>
        text ? (
          <div key={name}>
            <h4>{name}</h4>
            <CodeBlock text={text} what={`the ${name.toLowerCase()}`} />
          </div>
        ) : null,
      )}
    </>
  );
}

function Carried({ event }: { event: Event }) {
  const { data, error, refetch } = useQuery(bodyQuery(event.id));
  return (
    <Card title="What the event carried">
      {error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : null}
      {data?.stored === false ? <p>{data.why}</p> : null}
      {data?.stored ? (
        <div className={styles.stack}>
          {data.direct ? <DirectMessage direct={data.direct} /> : null}
          <h3>Variables</h3>
          <CodeBlock text={JSON.stringify(data.variables, null, 2)} what="the variables" />
          <h3>Further payload</h3>
          {Object.keys(data.payload ?? {}).length > 0 ? (
            <CodeBlock text={JSON.stringify(data.payload, null, 2)} what="the further payload" />
          ) : (
            <p className={styles.soft}>
              {event.recipient ? "Nothing besides the recipient, who is named above." : "None."}
            </p>
          )}
        </div>
      ) : null}
      {data || error ? null : <Loading />}
    </Card>
  );
}
