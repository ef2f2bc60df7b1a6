import { createLazyRoute, Outlet } from "@tanstack/react-router";
import { Badge } from "~/kit/Badge";
import { Copyable } from "~/kit/Copy";
import { LinkTab, LinkTabs } from "~/kit/LinkTabs";
import { Page } from "~/kit/Page";
import { useOwnTenant } from "~/shell/tenants";
import { useOpenTenant } from "./queries";

export const lazyRoute = createLazyRoute("/frame/tenants/$tenantId")({ component: TenantScreen });

function TenantScreen() {
  const tenant = useOpenTenant();
  useOwnTenant(tenant.id);
  const params = { tenantId: tenant.id };
  return (
    <Page
      title={tenant.name}
      heading={
        <>
          {tenant.name} {tenant.active ? null : <Badge tone="bad">deactivated</Badge>}
        </>
      }
      text={<Copyable text={tenant.id} what="tenant id" />}
    >
      <LinkTabs label="Parts of this tenant">
        <LinkTab to="/tenants/$tenantId" params={params} activeOptions={{ exact: true }}>
          Overview
        </LinkTab>
        <LinkTab to="/tenants/$tenantId/settings" params={params}>
          Settings and limits
        </LinkTab>
        <LinkTab to="/tenants/$tenantId/keys" params={params}>
          API keys
        </LinkTab>
        <LinkTab to="/tenants/$tenantId/security" params={params}>
          Signatures and realtime tokens
        </LinkTab>
        <LinkTab to="/tenants/$tenantId/retention" params={params}>
          Retention
        </LinkTab>
        <LinkTab to="/tenants/$tenantId/environments" params={params}>
          Environments
        </LinkTab>
      </LinkTabs>
      <Outlet />
    </Page>
  );
}
