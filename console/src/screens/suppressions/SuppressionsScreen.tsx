import { createLazyRoute } from "@tanstack/react-router";
import { Page } from "~/kit/Page";

export const lazyRoute = createLazyRoute("/frame/suppressions")({ component: SuppressionsScreen });

function SuppressionsScreen() {
  return <Page title="Suppressions" />;
}
