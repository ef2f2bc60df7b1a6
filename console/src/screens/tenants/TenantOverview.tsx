import { createLazyRoute } from "@tanstack/react-router";
import { LinkButton } from "~/kit/Button";
import { Card, Facts } from "~/kit/Page";
import { Time } from "~/kit/Time";
import { Readiness } from "~/screens/tenant/Readiness";
import { Usage } from "~/screens/tenant/Usage";
import { ActiveCard } from "./ActiveCard";
import { useOpenTenant } from "./queries";

export const lazyRoute = createLazyRoute("/frame/tenants/$tenantId/")({ component: TenantOverview });

function TenantOverview() {
  const tenant = useOpenTenant();
  return (
    <>
      <Readiness tenantId={tenant.id} channels={tenant.delivery_channels} />
      <Card
        title="This tenant"
        actions={
          <>
            <LinkButton to="/messages" search={{ tenant: tenant.id }} size="small">
              Show its messages
            </LinkButton>
            <LinkButton to="/tenants/$tenantId/settings" params={{ tenantId: tenant.id }} size="small">
              Change its settings
            </LinkButton>
          </>
        }
      >
        <Facts
          facts={[
            ["Channels", tenant.delivery_channels.join(", ") || "all"],
            ["Sender", [tenant.sender_name, tenant.sender_email].filter(Boolean).join(", ") || "not set"],
            ["Reply to", tenant.reply_to],
            ["API key", `ends in ${tenant.key_last4}`],
            ["Signed events", tenant.webhook_secrets.length > 0 ? "required" : "not required"],
            ["Account", tenant.account_id],
            ["Created", <Time key="created" at={tenant.created_at} />],
          ]}
        />
      </Card>
      <Usage tenantId={tenant.id} />
      <ActiveCard tenant={tenant} />
    </>
  );
}
