import { useQuery } from "@tanstack/react-query";
import { createLazyRoute } from "@tanstack/react-router";
import { answer, api } from "~/api/client";
import { may, useSession } from "~/api/session";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Card, Page } from "~/kit/Page";
import { AlertSettings } from "./AlertSettings";
import { Outages } from "./Outages";

export const lazyRoute = createLazyRoute("/frame/settings/alerts")({ component: AlertsScreen });

function AlertsScreen() {
  const isOwner = may(useSession(), "owner");
  return (
    <Page
      title="Alerts"
      text="Choose who gets an alert when a provider or an endpoint goes down, and when it works again. People get alerts by mail or push, programs by webhook."
    >
      {isOwner ? <Settings /> : null}
      <Outages />
    </Page>
  );
}

function Settings() {
  const { data, error, refetch } = useQuery({
    queryKey: ["alerts"],
    queryFn: ({ signal }) => answer(api.GET("/api/v1/admin/alerts", { signal })),
  });
  return (
    <Card title="Where alerts go">
      {error ? <ErrorNote error={error} onRetry={() => void refetch()} /> : null}
      {data ? <AlertSettings settings={data} /> : error ? null : <Loading />}
    </Card>
  );
}
