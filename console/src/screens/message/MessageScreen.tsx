import { createLazyRoute } from "@tanstack/react-router";
import { Page } from "~/kit/Page";

export const lazyRoute = createLazyRoute("/frame/messages/$eventId")({ component: MessageScreen });

function MessageScreen() {
  return <Page title="Message" />;
}
