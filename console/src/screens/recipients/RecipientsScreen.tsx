import { createLazyRoute } from "@tanstack/react-router";
import { Page } from "~/kit/Page";

export const lazyRoute = createLazyRoute("/frame/recipients")({ component: RecipientsScreen });

function RecipientsScreen() {
  return <Page title="Recipients" />;
}
