import { createLazyRoute } from "@tanstack/react-router";
import { Page } from "~/kit/Page";

export const lazyRoute = createLazyRoute("/frame/overview")({ component: OverviewScreen });

function OverviewScreen() {
  return <Page title="Overview" />;
}
