import { useQuery } from "@tanstack/react-query";
import { createLazyRoute } from "@tanstack/react-router";
import { useState } from "react";
import { may, useSession } from "~/api/session";
import { LinkButton } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { EmptyState, Page } from "~/kit/Page";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenant, useTenantId } from "~/shell/tenants";
import { ChannelOrder } from "./ChannelOrder";
import { kindsQuery, type Provider, providersQuery, statesQuery } from "./queries";
import { TestDialog } from "./TestDialog";

export const lazyRoute = createLazyRoute("/frame/providers")({ component: ProvidersScreen });

const ABOUT = "The services that send the tenant's mail and text messages.";

function ProvidersScreen() {
  const tenantId = useTenantId();
  const mayChange = may(useSession(), "operator", useTenant());
  if (!tenantId) {
    return (
      <Page title="Providers" text={ABOUT}>
        <TenantNeeded what="providers" />
      </Page>
    );
  }
  const add = mayChange ? (
    <LinkButton to="/providers/new" look="primary">
      Add a provider
    </LinkButton>
  ) : null;
  return (
    <Page title="Providers" text={ABOUT} actions={add}>
      <Providers key={tenantId} tenantId={tenantId} mayChange={mayChange} />
    </Page>
  );
}

function Providers({ tenantId, mayChange }: { tenantId: string; mayChange: boolean }) {
  const providers = useQuery(providersQuery(tenantId));
  const states = useQuery(statesQuery(tenantId));
  const kinds = useQuery(kindsQuery);
  const [tested, setTested] = useState<Provider>();
  if (providers.error) {
    return <ErrorNote error={providers.error} onRetry={() => void providers.refetch()} />;
  }
  if (!providers.data) {
    return <Loading />;
  }
  if (providers.data.length === 0) {
    return (
      <EmptyState
        title="This tenant cannot send mail or text messages yet"
        text="Begin with the sandbox: it needs no account, sends nothing, and keeps each message so that you can read it. Add a real provider when the messages look right."
        action={
          mayChange ? (
            <LinkButton to="/providers/new" search={{ kind: "EMAIL.sandbox" }} look="primary">
              Add the e-mail sandbox
            </LinkButton>
          ) : null
        }
      />
    );
  }
  const byId = new Map((states.data ?? []).map((one) => [one.provider_id, one]));
  const channels = [...new Set(providers.data.map((one) => one.channel))].sort();
  return (
    <>
      {states.error ? <ErrorNote error={states.error} onRetry={() => void states.refetch()} /> : null}
      {channels.map((channel) => (
        <ChannelOrder
          key={channel}
          tenantId={tenantId}
          channel={channel}
          providers={providers.data.filter((one) => one.channel === channel)}
          states={byId}
          titles={
            new Map(
              (kinds.data ?? []).filter((one) => one.channel === channel).map((one) => [one.kind, one.title]),
            )
          }
          mayChange={mayChange}
          onTest={setTested}
        />
      ))}
      <TestDialog key={tested?.id} provider={tested} onClose={() => setTested(undefined)} />
    </>
  );
}
