import { createLazyRoute } from "@tanstack/react-router";
import { Page } from "~/kit/Page";

export const lazyRoute = createLazyRoute("/frame/endpoints")({ component: EndpointsScreen });

function EndpointsScreen() {
  return <Page title="Endpoints" />;
}
