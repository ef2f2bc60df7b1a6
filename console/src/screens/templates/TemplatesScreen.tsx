import { createLazyRoute } from "@tanstack/react-router";
import { Page } from "~/kit/Page";

export const lazyRoute = createLazyRoute("/frame/templates")({ component: TemplatesScreen });

function TemplatesScreen() {
  return <Page title="Templates" />;
}
