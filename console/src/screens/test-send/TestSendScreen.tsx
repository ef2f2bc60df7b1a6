import { useQuery } from "@tanstack/react-query";
import { createLazyRoute, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { answer, api } from "~/api/client";
import { may, useSession } from "~/api/session";
import { Button, LinkButton } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { SelectField, TextField } from "~/kit/Field";
import { Loading } from "~/kit/Loading";
import { Card, EmptyState, Page } from "~/kit/Page";
import { channelName } from "~/shell/channels";
import { tenantsQuery, useTenantId } from "~/shell/tenants";
import { type Channel, type Language, languageName } from "../templates/data";
import { CHANNELS } from "../templates/routes";
import { SamplePicker } from "../templates/samples/SamplePicker";
import { useSample } from "../templates/samples/useSample";
import { PLATFORM_SAMPLE } from "../templates/starters";
import { FollowEvent } from "./FollowEvent";
import { ADDRESSES, lastRecipient, rememberRecipient, sendTest } from "./send";
import styles from "./TestSendScreen.module.css";

export const lazyRoute = createLazyRoute("/frame/test-send")({ component: TestSendScreen });

const TEXT =
  "Send one message to one address, through the tenant's own provider. It stands among the messages, marked as a test.";

function TestSendScreen() {
  const tenantId = useTenantId();
  const tenants = useQuery(tenantsQuery);
  const navigate = useNavigate();
  if (tenantId !== undefined) {
    return <ForTenant key={tenantId} tenantId={tenantId} />;
  }
  if (tenants.error) {
    return (
      <Page title="Test send" text={TEXT}>
        <ErrorNote error={tenants.error} />
      </Page>
    );
  }
  if (tenants.data?.length === 0) {
    return (
      <Page title="Test send" text={TEXT}>
        <EmptyState
          title="There is no tenant yet"
          text="A message is sent through the provider of a tenant."
          action={<LinkButton to="/tenants">Create a tenant</LinkButton>}
        />
      </Page>
    );
  }
  return (
    <Page title="Test send" text={TEXT}>
      <Card title="Through which tenant">
        <SelectField
          label="Tenant"
          value=""
          onChange={(event) => void navigate({ to: "/test-send", search: { tenant: event.target.value } })}
        >
          <option value="">Choose a tenant</option>
          {(tenants.data ?? []).map((one) => (
            <option key={one.id} value={one.id}>
              {one.name}
            </option>
          ))}
        </SelectField>
      </Card>
    </Page>
  );
}

function ForTenant({ tenantId }: { tenantId: string }) {
  const { channel = "EMAIL", version } = lazyRoute.useSearch();
  const navigate = useNavigate();
  const languages = useQuery({
    queryKey: ["templates", "to-test", tenantId, channel],
    queryFn: ({ signal }) =>
      answer(
        api.GET("/api/v1/admin/template-languages", {
          params: { query: { tenant_id: tenantId, platform: "true", channel, limit: 100 } },
          signal,
        }),
      ),
  });
  const found = [...(languages.data?.data ?? [])].sort(byUse);
  const chosen = found.find((one) => versionOf(one).id === version) ?? found[0];
  const set = (search: { channel?: Channel; version?: string }) =>
    void navigate({ to: "/test-send", search: { channel, ...search }, replace: true });
  return (
    <Page title="Test send" text={TEXT}>
      <Card title="What is sent">
        <div className={styles.fields}>
          <SelectField
            label="Channel"
            value={channel}
            onChange={(event) => set({ channel: event.target.value as Channel })}
          >
            {CHANNELS.map((one) => (
              <option key={one} value={one}>
                {channelName(one)}
              </option>
            ))}
          </SelectField>
          <SelectField
            label="Template"
            value={chosen ? versionOf(chosen).id : ""}
            onChange={(event) => set({ version: event.target.value })}
            help="Its active version, or the newest one if none is active"
          >
            {found.map((one) => (
              <option key={versionOf(one).id} value={versionOf(one).id}>
                {nameOf(one)}
              </option>
            ))}
          </SelectField>
        </div>
        {languages.error ? <ErrorNote error={languages.error} /> : null}
        {languages.isPending ? <Loading /> : null}
      </Card>
      {chosen ? <SendForm key={versionOf(chosen).id} tenantId={tenantId} language={chosen} /> : null}
    </Page>
  );
}

function SendForm({ tenantId, language }: { tenantId: string; language: Language }) {
  const channel = language.channel;
  const address = ADDRESSES[channel];
  const session = useSession();
  const tenant = useQuery(tenantsQuery).data?.find((one) => one.id === tenantId);
  const isPlatform = language.event_type.startsWith("global.");
  const [recipient, setRecipient] = useState(lastRecipient);
  const [sent, setSent] = useState<readonly string[]>([]);
  const [error, setError] = useState<Error | null>(null);
  const [isBusy, setBusy] = useState(false);
  const mayTest = may(session, "developer", tenant);
  const fallback = isPlatform ? PLATFORM_SAMPLE : {};
  const sample = useSample(tenantId, language.event_type, fallback, mayTest);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    rememberRecipient(recipient);
    sendTest(versionOf(language).id, tenantId, recipient, sample.variables)
      .then((id) => setSent((known) => [id, ...known]))
      .catch((problem: Error) => setError(problem))
      .finally(() => setBusy(false));
  };
  return (
    <>
      <Card title="To whom, and with what data">
        <form onSubmit={submit} className={styles.form}>
          <TextField
            label={address.label}
            help={address.help}
            type={address.type}
            required
            value={recipient[address.field]}
            onChange={(event) => setRecipient({ ...recipient, [address.field]: event.target.value })}
          />
          <SamplePicker
            sample={sample}
            tenantId={tenantId}
            eventType={language.event_type}
            maySave={mayTest}
          />
          {error ? <ErrorNote error={error} /> : null}
          <div>
            <Button
              type="submit"
              look="primary"
              isBusy={isBusy}
              disabled={!mayTest || sample.error !== ""}
              title={mayTest ? undefined : "Your role may not send tests"}
            >
              Send the test
            </Button>
          </div>
        </form>
      </Card>
      {sent.length > 0 ? (
        <Card title="Sent">
          {sent.map((id) => (
            <FollowEvent key={id} eventId={id} />
          ))}
        </Card>
      ) : null}
    </>
  );
}

function versionOf(one: Language): { id: string; version: number } {
  return one.active ?? one.newest;
}

function nameOf(one: Language): string {
  const language = one.locale === null ? "" : `, ${languageName(one.locale)}`;
  const state = one.active ? "" : " (not active)";
  return `${one.event_type}${language}, version ${versionOf(one).version}${state}${
    one.tenant_id === null ? ", of the platform" : ""
  }`;
}

// The tenant's own come first; what is active before what is not.
function byUse(one: Language, other: Language): number {
  const rank = (language: Language) => (language.tenant_id === null ? 2 : 0) + (language.active ? 0 : 1);
  return rank(one) - rank(other) || one.event_type.localeCompare(other.event_type);
}
