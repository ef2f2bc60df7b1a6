import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { may, useSession } from "~/api/session";
import { Button, LinkButton } from "~/kit/Button";
import { Copyable } from "~/kit/Copy";
import { Confirm } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Card, Facts, Page } from "~/kit/Page";
import { Time } from "~/kit/Time";
import { notify } from "~/kit/Toast";
import { channelName } from "~/shell/channels";
import { tenantsQuery, useOwnTenant } from "~/shell/tenants";
import { changed } from "./form";
import { type Entered, ProviderForm } from "./ProviderForm";
import styles from "./Providers.module.css";
import {
  callbackQuery,
  kindKey,
  kindsQuery,
  type Provider,
  type ProviderKind,
  type ProviderState,
  providerQuery,
  stateQuery,
} from "./queries";
import { lastHour, StateBadge, StateReason } from "./StateBadge";
import { TestDialog } from "./TestDialog";

export const lazyRoute = createLazyRoute("/frame/providers/$providerId")({ component: ProviderScreen });

function ProviderScreen() {
  const { providerId } = lazyRoute.useParams();
  const provider = useQuery(providerQuery(providerId));
  const kinds = useQuery(kindsQuery);
  const error = provider.error ?? kinds.error;
  if (error) {
    return (
      <Page title="Provider" actions={<LinkButton to="/providers">All providers</LinkButton>}>
        <ErrorNote error={error} onRetry={() => void provider.refetch()} />
      </Page>
    );
  }
  if (!provider.data || !kinds.data) {
    return (
      <Page title="Provider">
        <Loading />
      </Page>
    );
  }
  const kind = kinds.data.find((one) => kindKey(one) === kindKey(provider.data));
  return <OneProvider key={provider.data.id} provider={provider.data} kind={kind} />;
}

function OneProvider({ provider, kind }: { provider: Provider; kind: ProviderKind | undefined }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const session = useSession();
  useOwnTenant(provider.tenant_id);
  const tenant = useQuery(tenantsQuery).data?.find((one) => one.id === provider.tenant_id);
  const mayChange = may(session, "operator", tenant);
  const state = useQuery(stateQuery(provider.id));
  const [isTesting, setTesting] = useState(false);
  const [isDeleting, setDeleting] = useState(false);
  const params = { path: { id: provider.id } };
  const renew = () => queries.invalidateQueries({ queryKey: ["providers"] });
  const save = useMutation({
    mutationFn: ({ name, values, removed }: Entered) =>
      answer(
        api.PATCH("/api/v1/admin/providers/{id}", {
          params,
          body: { name: name.trim(), settings: changed(kind?.settings ?? [], provider, values, removed) },
        }),
      ),
    onSuccess: () => {
      notify("The settings are saved, and used within a second.");
      return renew();
    },
  });
  const remove = useMutation({
    mutationFn: () => answer(api.DELETE("/api/v1/admin/providers/{id}", { params })),
    onSuccess: async () => {
      notify(`${provider.name} was deleted.`);
      // Before its queries are asked again: it does not exist any more.
      await navigate({ to: "/providers", search: { tenant: provider.tenant_id } });
      queries.removeQueries({ queryKey: ["providers", provider.id] });
      void renew();
    },
  });
  const actions = (
    <>
      <LinkButton to="/providers" search={{ tenant: provider.tenant_id }}>
        All providers
      </LinkButton>
      {mayChange ? (
        <>
          <Button look="danger" onClick={() => setDeleting(true)}>
            Delete provider …
          </Button>
          <Button look="primary" onClick={() => setTesting(true)}>
            Send a test
          </Button>
        </>
      ) : null}
    </>
  );
  const text = `${kind?.title ?? provider.kind}, ${channelName(provider.channel)} of ${tenant?.name ?? "the tenant"}`;
  return (
    <Page title={provider.name} text={text} actions={actions}>
      <div className={styles.columns}>
        <div className={styles.stack}>
          {state.error ? <ErrorNote error={state.error} onRetry={() => void state.refetch()} /> : null}
          {state.data ? <StateCard state={state.data} /> : <Loading />}
          <Card title="Settings">
            {kind ? (
              <ProviderForm
                key={provider.updated_at}
                kind={kind}
                provider={provider}
                action="Save"
                onSubmit={(entered) => save.mutate(entered)}
                isBusy={save.isPending}
                error={save.error}
                isReadOnly={!mayChange}
              />
            ) : (
              <p>
                This version of Clarion has no provider of the kind {provider.kind}: delete it, or upgrade.
              </p>
            )}
          </Card>
        </div>
        <div className={styles.stack}>
          {kind ? (
            <Card title="At the vendor">
              <p>{kind.setup}</p>
            </Card>
          ) : null}
          {kind?.reports && mayChange ? <ReportsCard provider={provider} kind={kind} /> : null}
          <Card title="About it">
            <Facts
              facts={[
                ["Id", <Copyable key="id" text={provider.id} what="the provider's id" />],
                ["Added", <Time key="added" at={provider.created_at} />],
                ["Changed", <Time key="changed" at={provider.updated_at} />],
              ]}
            />
          </Card>
        </div>
      </div>
      <TestDialog provider={isTesting ? provider : undefined} onClose={() => setTesting(false)} />
      <Confirm
        isOpen={isDeleting}
        onClose={() => setDeleting(false)}
        title={`Delete ${provider.name}?`}
        text="Messages are sent through the channel's other providers; without one they fail. Its secrets are deleted, too."
        action="Delete provider"
        name={provider.name}
        onSubmit={() => remove.mutate()}
        isBusy={remove.isPending}
        error={remove.error}
      />
    </Page>
  );
}

function StateCard({ state }: { state: ProviderState }) {
  const failure = state.last_failure;
  return (
    <Card title="State">
      <p aria-live="polite">
        <StateBadge state={state} /> <StateReason state={state} />
      </p>
      <Facts
        facts={[
          ["Since", state.since ? <Time key="since" at={state.since} /> : null],
          ["Last hour", lastHour(state)],
          [
            "Last called",
            state.last_call_at && state.last_hour.calls === 0 ? (
              <Time key="called" at={state.last_call_at} />
            ) : null,
          ],
          [
            "Last failure",
            failure ? (
              <>
                <Time at={failure.at} />: {failure.text}
              </>
            ) : (
              "None within seven days"
            ),
          ],
          ["Its answer", failure?.detail ? <code key="detail">{failure.detail}</code> : null],
          ["What to do", failure && state.state !== "closed" ? failure.advice : null],
          [
            "Processes",
            state.paused_processes > 0
              ? `${state.paused_processes} of the sending processes do not call it`
              : null,
          ],
        ]}
      />
    </Card>
  );
}

function ReportsCard({ provider, kind }: { provider: Provider; kind: ProviderKind }) {
  const callback = useQuery(callbackQuery(provider.id));
  const setting = kind.settings.find((one) => one.name === callback.data?.setting)?.label;
  return (
    <Card title="Delivery reports">
      <p>The provider calls this URL to say what became of a message after it was sent.</p>
      {callback.error ? <ErrorNote error={callback.error} onRetry={() => void callback.refetch()} /> : null}
      {callback.data ? (
        <>
          <Copyable text={callback.data.url} what="the callback URL" />
          {callback.data.url.startsWith("/") ? (
            <p>Put the public address of this installation before it: CLARION_PUBLIC_URL is not set.</p>
          ) : null}
          <p>{kind.reports?.setup}</p>
          <p className={styles.soft}>
            {callback.data.ready
              ? "Reports are accepted."
              : `Reports are refused until “${setting ?? callback.data.setting}” is entered in the settings.`}
          </p>
        </>
      ) : null}
    </Card>
  );
}
