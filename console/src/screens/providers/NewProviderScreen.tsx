import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute, Link, useNavigate } from "@tanstack/react-router";
import { answer, api } from "~/api/client";
import { LinkButton } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Card, Page } from "~/kit/Page";
import { notify } from "~/kit/Toast";
import { channelName } from "~/shell/channels";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenantId } from "~/shell/tenants";
import { created } from "./form";
import { type Entered, ProviderForm } from "./ProviderForm";
import styles from "./Providers.module.css";
import { kindKey, kindsQuery, type ProviderKind, providersQuery } from "./queries";

export const lazyRoute = createLazyRoute("/frame/providers/new")({ component: NewProviderScreen });

function NewProviderScreen() {
  const tenantId = useTenantId();
  const { kind: wanted } = lazyRoute.useSearch();
  const kinds = useQuery(kindsQuery);
  const kind = kinds.data?.find((one) => kindKey(one) === wanted);
  if (!tenantId) {
    return (
      <Page title="Add a provider">
        <TenantNeeded what="providers" />
      </Page>
    );
  }
  if (kinds.error) {
    return (
      <Page title="Add a provider">
        <ErrorNote error={kinds.error} onRetry={() => void kinds.refetch()} />
      </Page>
    );
  }
  if (!kinds.data) {
    return (
      <Page title="Add a provider">
        <Loading />
      </Page>
    );
  }
  return kind ? (
    <NewProvider key={kindKey(kind)} tenantId={tenantId} kind={kind} />
  ) : (
    <Page title="Add a provider" text="Choose the service that sends. The sandbox needs no account.">
      {[...new Set(kinds.data.map((one) => one.channel))].map((channel) => (
        <Card key={channel} title={channelName(channel)}>
          <ul className={styles.kinds}>
            {sandboxFirst(kinds.data.filter((one) => one.channel === channel)).map((one) => (
              <li key={one.kind}>
                <Link to="/providers/new" search={{ kind: kindKey(one) }} className={styles.kind}>
                  <strong>{one.title}</strong>
                  <span className={styles.soft}>{one.purpose}</span>
                </Link>
              </li>
            ))}
          </ul>
        </Card>
      ))}
    </Page>
  );
}

function NewProvider({ tenantId, kind }: { tenantId: string; kind: ProviderKind }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const others = useQuery(providersQuery(tenantId));
  const create = useMutation({
    mutationFn: ({ name, values }: Entered) =>
      answer(
        api.POST("/api/v1/admin/providers", {
          body: {
            tenant_id: tenantId,
            channel: kind.channel,
            kind: kind.kind,
            name: name.trim(),
            priority: lastPriority(others.data ?? []),
            settings: created(kind.settings, values),
          },
        }),
      ),
    onSuccess: (provider) => {
      notify(`${provider.name} was added. Send a test to try it.`);
      void queries.invalidateQueries({ queryKey: ["providers"] });
      void navigate({ to: "/providers/$providerId", params: { providerId: provider.id } });
    },
  });
  const another = (
    <LinkButton to="/providers/new" search={{}}>
      Choose another kind
    </LinkButton>
  );
  return (
    <Page title={`Add ${kind.title}`} text={kind.purpose} actions={another}>
      <Card title="How to set it up">
        <p>{kind.setup}</p>
        {kind.reports ? (
          <p className={styles.soft}>
            Its delivery reports are set up after this: then you get the URL to enter there.
          </p>
        ) : null}
      </Card>
      <Card title="Settings">
        <ProviderForm
          kind={kind}
          action="Add provider"
          onSubmit={(entered) => create.mutate(entered)}
          isBusy={create.isPending}
          error={create.error}
        />
      </Card>
    </Page>
  );
}

const LARGEST_PRIORITY = 10_000;

/** A new provider is tried last. */
function lastPriority(others: readonly { priority: number }[]): number {
  return Math.min(Math.max(0, ...others.map((one) => one.priority)) + 10, LARGEST_PRIORITY);
}

function sandboxFirst(kinds: readonly ProviderKind[]): readonly ProviderKind[] {
  return [...kinds].sort((a, b) => Number(b.kind === "sandbox") - Number(a.kind === "sandbox"));
}
