import { createLazyRoute } from "@tanstack/react-router";
import { Page } from "~/kit/Page";

export const lazyRoute = createLazyRoute("/frame/messages")({ component: MessagesScreen });

function MessagesScreen() {
  return <Page title="Messages" />;
}
