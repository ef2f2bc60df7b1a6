import { createLazyRoute } from "@tanstack/react-router";
import { Page } from "~/kit/Page";

export const lazyRoute = createLazyRoute("/frame/providers")({ component: ProvidersScreen });

function ProvidersScreen() {
  return <Page title="Providers" />;
}
