import { useQuery } from "@tanstack/react-query";
import { createLazyRoute, Link, useParams } from "@tanstack/react-router";
import { answer, api, type Schemas } from "~/api/client";
import { useRows } from "~/api/pages";
import { may, useSession } from "~/api/session";
import { Badge } from "~/kit/Badge";
import { LinkButton } from "~/kit/Button";
import { CodeBlock } from "~/kit/Copy";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Card, EmptyState, Facts, Page } from "~/kit/Page";
import { List } from "~/kit/Table";
import { Time } from "~/kit/Time";
import { Marks } from "~/screens/messages/Marks";
import { channelName } from "~/shell/channels";
import { FindTenant } from "~/shell/FindTenant";
import { useTenant, useTenantId } from "~/shell/tenants";
import { kindName } from "./DeviceFields";
import { recipientQuery, type Stored } from "./data";
import { EditRecipient } from "./EditRecipient";
import { RecipientActions } from "./RecipientActions";
import { RecipientSuppressions } from "./RecipientSuppressions";
import styles from "./recipients.module.css";

export const lazyRoute = createLazyRoute("/frame/recipients/$recipientId")({ component: RecipientScreen });

type Event = Schemas["Event"];
type Entry = Schemas["InboxEntry"];

function RecipientScreen() {
  const { recipientId } = useParams({ from: "/frame/recipients/$recipientId" });
  const tenantId = useTenantId();
  return (
    <Page
      title={recipientId}
      heading={<bdi>{recipientId}</bdi>}
      text="A recipient, by the tenant’s own id of them."
      actions={tenantId ? <RecipientActions tenantId={tenantId} recipientId={recipientId} /> : null}
    >
      {tenantId ? (
        <Recipient key={`${tenantId}/${recipientId}`} tenantId={tenantId} recipientId={recipientId} />
      ) : (
        <FindTenant key={recipientId} kind="recipient" id={recipientId} what="recipients" />
      )}
    </Page>
  );
}

interface Whose {
  tenantId: string;
  recipientId: string;
}

function Recipient({ tenantId, recipientId }: Whose) {
  const session = useSession();
  const tenant = useTenant();
  const mayChange = may(session, "operator", tenant);
  const maySend = may(session, "developer", tenant);
  const { data, error, refetch } = useQuery(recipientQuery(tenantId, recipientId));
  return (
    <>
      <Card
        title="Stored"
        actions={
          <>
            {data && maySend ? (
              <LinkButton
                size="small"
                to="/triggers/new"
                search={{ tenant: tenantId, recipient: recipientId }}
              >
                Send an event
              </LinkButton>
            ) : null}
            {data && mayChange ? <EditRecipient tenantId={tenantId} stored={data} /> : null}
          </>
        }
      >
        {error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : null}
        {data ? <StoredFacts stored={data} tenantId={tenantId} /> : null}
        {data === null ? (
          <p>
            Nobody is stored with this id. Events can describe their recipients themselves: what they got is
            below.
          </p>
        ) : null}
        {data === undefined && !error ? <Loading /> : null}
      </Card>
      <Card title="What they got">
        <Got tenantId={tenantId} recipientId={recipientId} />
      </Card>
      <Card title="Inbox">
        <Inbox tenantId={tenantId} recipientId={recipientId} />
      </Card>
      <Card title="Suppressions of their addresses">
        <RecipientSuppressions tenantId={tenantId} recipientId={recipientId} stored={data} />
      </Card>
    </>
  );
}

function StoredFacts({ stored, tenantId }: { stored: Stored; tenantId: string }) {
  return (
    <div className={styles.stack}>
      <Facts
        facts={[
          ["Name", stored.name ? <bdi key="name">{stored.name}</bdi> : null],
          ["E-mail", stored.email ? <bdi key="email">{stored.email}</bdi> : null],
          ["Phone", stored.phone],
          ["Language", stored.locale],
          ["Time zone", stored.timezone],
          [
            "Tags",
            stored.tags.length > 0 ? (
              <span key="tags" className={styles.tags}>
                {stored.tags.map((tag) => (
                  <Link key={tag} to="/recipients" search={{ tenant: tenantId, tag }}>
                    <Badge>{tag}</Badge>
                  </Link>
                ))}
              </span>
            ) : null,
          ],
          ["Groups", stored.groups.join(", ") || "none"],
          ["State", stored.active ? "active" : "inactive: they get nothing"],
          ["Wants nothing on", stored.muted_channels.map(channelName).join(", ")],
          [
            "By category",
            stored.category_preferences
              .map(
                ({ channel, category, wanted }) =>
                  `${wanted ? "" : "no "}${category} by ${channelName(channel)}`,
              )
              .join(", "),
          ],
          [
            "Devices",
            stored.device_tokens.length > 0 ? (
              <ul key="devices">
                {stored.device_tokens.map(({ kind, token }, place) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: two tokens may look the same
                  <li key={place}>
                    {kindName(kind)} <code>{token}</code>
                  </li>
                ))}
              </ul>
            ) : null,
          ],
          ["Stored", <Time key="created" at={stored.created_at} />],
          ["Changed", <Time key="updated" at={stored.updated_at} />],
        ]}
      />
      {Object.keys(stored.data).length > 0 ? (
        <>
          <h3>The tenant’s own fields</h3>
          <CodeBlock text={JSON.stringify(stored.data, null, 2)} what="the tenant’s own fields" />
        </>
      ) : null}
    </div>
  );
}

function Got({ tenantId, recipientId }: Whose) {
  const list = useRows(["events", "of", tenantId, recipientId], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/events", {
        params: {
          query: { tenant_id: tenantId, recipient: recipientId, limit: 20, ...(cursor && { cursor }) },
        },
        signal,
      }),
    ),
  );
  return (
    <List
      caption="Messages to this recipient"
      list={list}
      rowKey={(row: Event) => row.id}
      empty={
        <EmptyState
          title="Nothing was sent to this id"
          text="Or it was longer ago than events are kept. The id must be written as the tenant’s programs write it."
          action={
            <LinkButton to="/messages" search={{ tenant: tenantId }}>
              Look through all messages
            </LinkButton>
          }
        />
      }
      columns={[
        {
          header: "Event",
          cell: (row) => (
            <Link to="/messages/$eventId" params={{ eventId: row.id }} search={{ tenant: tenantId }}>
              <bdi>{row.event_type}</bdi>
            </Link>
          ),
        },
        {
          header: "Channels",
          cell: (row) => <Marks event={row} />,
        },
        { header: "Accepted", cell: (row) => <Time at={row.accepted_at} />, isWhole: true },
      ]}
    />
  );
}

function Inbox({ tenantId, recipientId }: Whose) {
  const list = useRows(["recipients", tenantId, "inbox", recipientId], (cursor, signal) =>
    answer(
      api.GET("/api/v1/admin/tenants/{id}/recipients/{recipient_id}/inbox", {
        params: {
          path: { id: tenantId, recipient_id: recipientId },
          query: { limit: 20, ...(cursor && { cursor }) },
        },
        signal,
      }),
    ),
  );
  return (
    <List
      caption="Notifications"
      list={list}
      rowKey={(row: Entry) => row.id}
      empty={
        <EmptyState
          title="The inbox is empty"
          text="Events with a push template put a notification here."
          action={
            <LinkButton to="/test-send" search={{ tenant: tenantId, channel: "PUSH" }}>
              Send a test push
            </LinkButton>
          }
        />
      }
      columns={[
        {
          header: "Notification",
          cell: (row) => (
            <>
              <Link to="/messages/$eventId" params={{ eventId: row.event_id }} search={{ tenant: tenantId }}>
                <bdi>{row.title || row.event_type}</bdi>
              </Link>
              <div className={styles.soft} dir="auto">
                {row.body}
              </div>
            </>
          ),
        },
        {
          header: "Read",
          cell: (row) => (row.read_at ? <Time at={row.read_at} /> : <Badge tone="calm">unread</Badge>),
          isWhole: true,
        },
        { header: "Created", cell: (row) => <Time at={row.created_at} />, isWhole: true },
      ]}
    />
  );
}
