import { createLazyRoute } from "@tanstack/react-router";
import { useState } from "react";
import { Problem } from "~/api/problem";
import { Form } from "~/kit/Form";
import { Card } from "~/kit/Page";
import { type Identity, IdentityFields } from "./fields";
import { LimitsCard } from "./LimitsCard";
import { type Tenant, useMayChange, useOpenTenant, useTenantChange } from "./queries";
import { TenantAlertsCard } from "./TenantAlerts";

export const lazyRoute = createLazyRoute("/frame/tenants/$tenantId/settings")({ component: TenantSettings });

function TenantSettings() {
  const tenant = useOpenTenant();
  const maySetAlerts = useMayChange("operator", tenant);
  return (
    <>
      <IdentityCard key={tenant.id} tenant={tenant} />
      <LimitsCard key={`${tenant.id}-limits`} tenant={tenant} />
      {maySetAlerts ? <TenantAlertsCard key={`${tenant.id}-alerts`} tenantId={tenant.id} /> : null}
    </>
  );
}

function IdentityCard({ tenant }: { tenant: Tenant }) {
  const { name, sender_name, sender_email, reply_to, delivery_channels } = tenant;
  const [identity, setIdentity] = useState<Identity>({
    name,
    sender_name,
    sender_email,
    reply_to,
    delivery_channels,
  });
  const change = useTenantChange(tenant);
  const mayChange = useMayChange("operator", tenant);
  return (
    <Card title="Name, sender and channels">
      <Form
        action="Save"
        onSubmit={() => change.mutate(identity)}
        isBusy={change.isPending}
        isDisabled={!mayChange}
        error={change.error}
      >
        <IdentityFields
          value={identity}
          onChange={setIdentity}
          problem={change.error instanceof Problem ? change.error : null}
          isDisabled={!mayChange}
        />
      </Form>
    </Card>
  );
}
