import { createLazyRoute } from "@tanstack/react-router";
import { Page } from "~/kit/Page";

export const lazyRoute = createLazyRoute("/frame/tenants")({ component: TenantsScreen });

function TenantsScreen() {
  return <Page title="Tenants" />;
}
