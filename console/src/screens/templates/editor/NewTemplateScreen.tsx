import { useQuery } from "@tanstack/react-query";
import { createLazyRoute, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { may, useSession } from "~/api/session";
import { Button } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { SelectField, TextField } from "~/kit/Field";
import { Loading } from "~/kit/Loading";
import { Card, EmptyState, Page } from "~/kit/Page";
import { channelName } from "~/shell/channels";
import { tenantsQuery, useTenantId } from "~/shell/tenants";
import { type Channel, languageName, templateQuery, versionsQuery } from "../data";
import { CHANNELS } from "../routes";
import { PLATFORM_SAMPLE, type Starter, startersOf } from "../starters";
import { type Content, contentOf, type Place } from "./draft";
import styles from "./NewTemplateScreen.module.css";
import { TemplateForm } from "./TemplateForm";

export const lazyRoute = createLazyRoute("/frame/templates/new")({ component: NewTemplateScreen });

function NewTemplateScreen() {
  const search = lazyRoute.useSearch();
  const tenantId = useTenantId();
  const { event_type: eventType, channel, from, locale = null } = search;
  const source = useQuery({ ...templateQuery(from ?? ""), enabled: from !== undefined });
  if (from !== undefined) {
    if (source.error) {
      return (
        <Page title="New language">
          <ErrorNote error={source.error} />
        </Page>
      );
    }
    if (source.data === undefined) {
      return <Loading />;
    }
    const { tenant_id, event_type, channel } = source.data;
    return (
      <Begin place={{ tenant_id, event_type, channel, locale }} start={contentOf(source.data)} sample={{}} />
    );
  }
  const owner = search.platform ? null : tenantId;
  if (eventType === undefined || channel === undefined || owner === undefined) {
    return <Choose />;
  }
  const starter = startersOf(channel).find((one) => one.name === search.starter) ?? startersOf(channel)[0];
  return (
    <Begin
      key={`${eventType}:${channel}:${locale}:${starter?.name}`}
      place={{ tenant_id: owner, event_type: eventType, channel, locale }}
      start={begun(starter)}
      sample={starter?.sample ?? {}}
    />
  );
}

function begun(starter: Starter | undefined): Content {
  const { subject = "", preheader = "", body = "" } = starter ?? {};
  return { subject, preheader, body, layout: "", push_namespace: "", subscribed: false };
}

/** Where the template belongs and what it begins with. */
function Choose() {
  const search = lazyRoute.useSearch();
  const navigate = useNavigate();
  const tenantId = useTenantId();
  const session = useSession();
  const tenants = useQuery(tenantsQuery).data ?? [];
  const mayAll = may(session, "developer");
  const [owner, setOwner] = useState(tenantId ?? "");
  const [eventType, setEventType] = useState(search.event_type ?? "");
  const [channel, setChannel] = useState<Channel>(search.channel ?? "EMAIL");
  const [locale, setLocale] = useState(search.locale ?? "");
  const start = (starter: string) => {
    void navigate({
      to: "/templates/new",
      search: {
        event_type: eventType.trim(),
        channel,
        starter,
        ...(locale.trim() && { locale: locale.trim() }),
        ...(owner === "platform" ? { platform: true } : { tenant: owner }),
      },
    });
  };
  const isReady = eventType.trim() !== "" && owner !== "";
  return (
    <Page
      title="New template"
      text="Say for which event it is, then choose an example. You change it in the editor; nothing is sent before you activate it."
    >
      <Card title="For which event">
        <div className={styles.fields}>
          <SelectField label="Tenant" value={owner} onChange={(event) => setOwner(event.target.value)}>
            <option value="">Choose a tenant</option>
            {tenants.map((one) => (
              <option key={one.id} value={one.id}>
                {one.name}
              </option>
            ))}
            {mayAll ? <option value="platform">The platform, for all tenants</option> : null}
          </SelectField>
          <TextField
            label="Event type"
            help="The name that your program sends, such as order.shipped"
            value={eventType}
            maxLength={255}
            spellCheck={false}
            onChange={(event) => setEventType(event.target.value)}
          />
          <SelectField
            label="Channel"
            value={channel}
            onChange={(event) => setChannel(event.target.value as Channel)}
          >
            {CHANNELS.map((one) => (
              <option key={one} value={one}>
                {channelName(one)}
              </option>
            ))}
          </SelectField>
          <TextField
            label="Language"
            isOptional
            help="Such as pt-BR. Empty: for everybody whose language has no version of its own"
            value={locale}
            spellCheck={false}
            onChange={(event) => setLocale(event.target.value)}
          />
        </div>
      </Card>
      <Card title="Which example to begin with">
        {isReady ? null : <p className={styles.hint}>Fill in the tenant and the event type above first.</p>}
        <ul className={styles.starters}>
          {startersOf(channel).map((one) => (
            <li key={one.name}>
              <h3>{one.name}</h3>
              <p>{one.text}</p>
              <Button
                look="primary"
                disabled={!isReady}
                aria-label={`Use this example: ${one.name}`}
                onClick={() => start(one.name)}
              >
                Use this example
              </Button>
            </li>
          ))}
        </ul>
      </Card>
    </Page>
  );
}

function Begin({ place, start, sample }: { place: Place; start: Content; sample: Starter["sample"] }) {
  const versions = useQuery(versionsQuery(place));
  const navigate = useNavigate();
  const session = useSession();
  const tenant = useQuery(tenantsQuery).data?.find((one) => one.id === place.tenant_id);
  const existing = versions.data?.find(
    (one) => one.locale === place.locale && one.tenant_id === place.tenant_id,
  );
  const title = `New template for ${place.event_type}`;
  if (versions.error) {
    return (
      <Page title={title}>
        <ErrorNote error={versions.error} />
      </Page>
    );
  }
  if (versions.data === undefined) {
    return <Loading />;
  }
  if (existing) {
    return (
      <Page title={title}>
        <EmptyState
          title="There is one already"
          text={`${place.event_type} has a template for ${channelName(place.channel)} in this language: version ${existing.version}.`}
          action={
            <Button
              look="primary"
              onClick={() =>
                void navigate({
                  to: "/templates/$templateId/edit",
                  params: { templateId: existing.id },
                  replace: true,
                })
              }
            >
              Edit version {existing.version}
            </Button>
          }
        />
      </Page>
    );
  }
  return (
    <Page
      title={title}
      text={`${channelName(place.channel)}, ${languageName(place.locale)}${
        place.tenant_id === null ? ", of the platform" : tenant ? `, of ${tenant.name}` : ""
      }. Nothing is sent with it until a version is active.`}
    >
      <TemplateForm
        place={place}
        start={start}
        newest={null}
        fallbackSample={place.event_type.startsWith("global.") ? PLATFORM_SAMPLE : sample}
        maySave={may(session, "developer", tenant)}
        onSaved={(made) =>
          void navigate({
            to: "/templates/$templateId/edit",
            params: { templateId: made.id },
            replace: true,
          })
        }
      />
    </Page>
  );
}
