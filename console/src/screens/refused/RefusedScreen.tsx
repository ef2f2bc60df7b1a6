import { createLazyRoute } from "@tanstack/react-router";
import { Page } from "~/kit/Page";

export const lazyRoute = createLazyRoute("/frame/refused")({ component: RefusedScreen });

function RefusedScreen() {
  return <Page title="Refused requests" />;
}
