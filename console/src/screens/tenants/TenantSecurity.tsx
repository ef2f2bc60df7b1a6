import { createLazyRoute } from "@tanstack/react-router";
import { useOpenTenant } from "./queries";
import { SigningCard } from "./SigningCard";
import { TokensCard } from "./TokensCard";

export const lazyRoute = createLazyRoute("/frame/tenants/$tenantId/security")({ component: TenantSecurity });

function TenantSecurity() {
  const tenant = useOpenTenant();
  return (
    <>
      <SigningCard tenant={tenant} />
      <TokensCard tenant={tenant} />
    </>
  );
}
