import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { answer, api } from "~/api/client";
import { may, useSession } from "~/api/session";
import { Button, LinkButton } from "~/kit/Button";
import { Confirm } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Page } from "~/kit/Page";
import { Tabs } from "~/kit/Tabs";
import { notify, notifyError } from "~/kit/Toast";
import { FindTenant } from "~/shell/FindTenant";
import { useTenant, useTenantId } from "~/shell/tenants";
import { Deliveries } from "./Deliveries";
import { EndpointForm } from "./EndpointForm";
import styles from "./Endpoints.module.css";
import { change, type Entered } from "./endpointForm";
import { type Endpoint, endpointQuery, type Named, stateQuery } from "./queries";
import { Receiver } from "./Receiver";
import { SecretCard } from "./SecretCard";
import { StateCard } from "./StateCard";
import { Subscriptions } from "./Subscriptions";
import { Waiting } from "./Waiting";
import { nameOf } from "./words";

export const lazyRoute = createLazyRoute("/frame/endpoints/$endpointId")({ component: EndpointScreen });

function EndpointScreen() {
  const tenantId = useTenantId();
  const { endpointId } = lazyRoute.useParams();
  if (!tenantId) {
    return (
      <Page title="Endpoint">
        <FindTenant key={endpointId} kind="endpoint" id={endpointId} what="endpoints" />
      </Page>
    );
  }
  return <Loaded key={endpointId} path={{ id: tenantId, endpoint_id: endpointId }} />;
}

function Loaded({ path }: { path: Named }) {
  const endpoint = useQuery(endpointQuery(path));
  const all = <LinkButton to="/endpoints">All endpoints</LinkButton>;
  if (endpoint.error) {
    return (
      <Page title="Endpoint" actions={all}>
        <ErrorNote error={endpoint.error} onRetry={() => void endpoint.refetch()} />
      </Page>
    );
  }
  return endpoint.data ? (
    <OneEndpoint endpoint={endpoint.data} path={path} />
  ) : (
    <Page title="Endpoint">
      <Loading />
    </Page>
  );
}

function OneEndpoint({ endpoint, path }: { endpoint: Endpoint; path: Named }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const session = useSession();
  const tenant = useTenant();
  const mayChange = may(session, "developer", tenant);
  // Of secrets, and of what is sent or left out.
  const mayOperate = may(session, "operator", tenant);
  const { tab } = lazyRoute.useSearch();
  const [isDeleting, setDeleting] = useState(false);
  const [isDisabling, setDisabling] = useState(false);
  const renew = () => queries.invalidateQueries({ queryKey: ["endpoints"] });
  const update = useMutation({
    mutationFn: (body: ReturnType<typeof change> | { active: boolean }) =>
      answer(api.PATCH("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}", { params: { path }, body })),
    onSuccess: renew,
  });
  const enable = (active: boolean) =>
    update.mutate(
      { active },
      {
        onSuccess: () => {
          setDisabling(false);
          notify(active ? "The endpoint is enabled." : "The endpoint is disabled.");
        },
        ...(active && { onError: notifyError }),
      },
    );
  const remove = useMutation({
    mutationFn: () =>
      answer(api.DELETE("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}", { params: { path } })),
    onSuccess: async () => {
      notify(`${nameOf(endpoint)} was deleted.`);
      // Before its queries are asked again: it does not exist any more.
      await navigate({ to: "/endpoints" });
      queries.removeQueries({ queryKey: ["endpoints", endpoint.id] });
      void renew();
    },
  });
  const state = useQuery(stateQuery(path)).data;
  // A test event goes the same way as any other: while the endpoint is down, it waits like them.
  const mustWait = endpoint.mode === "polled" || (state?.state === "open" && state.parked > 0);
  const test = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/api/v1/admin/tenants/{id}/endpoints/{endpoint_id}/test", { params: { path }, body: {} }),
      ),
    onSuccess: (sent) => {
      notify(
        mustWait
          ? "A test event is queued: it waits like the other messages of this endpoint."
          : "A test event is on its way.",
      );
      void renew();
      void navigate({
        to: ".",
        params: { endpointId: endpoint.id },
        search: { tab: "deliveries", delivery: sent.delivery_id },
      });
    },
    onError: notifyError,
  });
  const actions = (
    <>
      <LinkButton to="/endpoints">All endpoints</LinkButton>
      {mayChange ? (
        <>
          <Button look="danger" onClick={() => setDeleting(true)}>
            Delete endpoint …
          </Button>
          {endpoint.active ? (
            <Button onClick={() => setDisabling(true)}>Disable endpoint …</Button>
          ) : (
            <Button onClick={() => enable(true)} isBusy={update.isPending}>
              Enable endpoint
            </Button>
          )}
          <Button
            look="primary"
            onClick={() => test.mutate()}
            isBusy={test.isPending}
            disabled={!endpoint.active}
            title={endpoint.active ? "" : "Enable the endpoint first."}
          >
            Send a test event
          </Button>
        </>
      ) : null}
    </>
  );
  const tabs = [
    {
      value: "deliveries",
      label: "Deliveries",
      content: <Deliveries path={path} mayChange={mayOperate} />,
    },
    {
      value: "subscriptions",
      label: "Subscriptions",
      content: <Subscriptions path={path} mayChange={mayChange} />,
    },
    {
      value: "waiting",
      label: "Waiting",
      content: <Waiting endpoint={endpoint} path={path} mayChange={mayOperate} />,
    },
    { value: "receiver", label: "Receiver", content: <Receiver endpoint={endpoint} /> },
    {
      value: "settings",
      label: "Settings",
      content: (
        <EndpointForm
          key={endpoint.revision}
          tenantId={path.id}
          endpoint={endpoint}
          action="Save"
          onSubmit={(entered: Entered) =>
            update.mutate(change(endpoint, entered), { onSuccess: () => notify("The settings are saved.") })
          }
          isBusy={update.isPending}
          error={update.error}
          isReadOnly={!mayChange}
        />
      ),
    },
  ];
  return (
    <Page
      title={nameOf(endpoint)}
      text={endpoint.description && endpoint.url ? endpoint.url : undefined}
      actions={actions}
    >
      <div className={styles.cards}>
        <StateCard endpoint={endpoint} path={path} mayChange={mayChange} />
        {endpoint.kind === "webhook" ? (
          <SecretCard endpoint={endpoint} path={path} mayChange={mayOperate} />
        ) : null}
      </div>
      <Tabs
        label="About the endpoint"
        tabs={tabs}
        value={tab ?? "deliveries"}
        onChange={(value) =>
          void navigate({
            to: ".",
            params: { endpointId: endpoint.id },
            search: { tab: tabs.find((one) => one.value === value)?.value as typeof tab },
          })
        }
      />
      <Confirm
        isOpen={isDisabling}
        onClose={() => setDisabling(false)}
        title={`Disable ${nameOf(endpoint)}?`}
        text="What already waits is sent when it is enabled again. Events that are accepted while it is disabled are not sent to it; “Send earlier events” does that later."
        action="Disable endpoint"
        onSubmit={() => enable(false)}
        isBusy={update.isPending}
        error={update.error}
      />
      <Confirm
        isOpen={isDeleting}
        onClose={() => setDeleting(false)}
        title={`Delete ${nameOf(endpoint)}?`}
        text="Its subscriptions and secrets are deleted. What waits for it is not sent any more."
        action="Delete endpoint"
        name={nameOf(endpoint)}
        onSubmit={() => remove.mutate()}
        isBusy={remove.isPending}
        error={remove.error}
      />
    </Page>
  );
}
