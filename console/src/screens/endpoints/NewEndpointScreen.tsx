import { useMutation, useQueryClient } from "@tanstack/react-query";
import { createLazyRoute, useNavigate } from "@tanstack/react-router";
import { answer, api } from "~/api/client";
import { LinkButton } from "~/kit/Button";
import { Card, Page } from "~/kit/Page";
import { notify } from "~/kit/Toast";
import { TenantNeeded } from "~/shell/TenantNeeded";
import { useTenantId } from "~/shell/tenants";
import { EndpointForm } from "./EndpointForm";
import { creation, type Entered } from "./endpointForm";

export const lazyRoute = createLazyRoute("/frame/endpoints/new")({ component: NewEndpointScreen });

function NewEndpointScreen() {
  const tenantId = useTenantId();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const create = useMutation({
    mutationFn: (entered: Entered) =>
      answer(
        api.POST("/api/v1/admin/tenants/{id}/endpoints", {
          params: { path: { id: tenantId ?? "" } },
          body: creation(entered),
        }),
      ),
    onSuccess: (endpoint) => {
      notify("The endpoint was created. Subscribe it to event types.");
      void queries.invalidateQueries({ queryKey: ["endpoints"] });
      void navigate({
        to: "/endpoints/$endpointId",
        params: { endpointId: endpoint.id },
        search: { tab: "subscriptions" },
      });
    },
  });
  return (
    <Page
      title="Create an endpoint"
      text="Its signing secret is made for you; you find it on the endpoint's page."
      actions={<LinkButton to="/endpoints">All endpoints</LinkButton>}
    >
      {tenantId ? (
        <Card title="Settings">
          <EndpointForm
            tenantId={tenantId}
            action="Create endpoint"
            onSubmit={(entered) => create.mutate(entered)}
            isBusy={create.isPending}
            error={create.error}
          />
        </Card>
      ) : (
        <TenantNeeded what="endpoints" />
      )}
    </Page>
  );
}
