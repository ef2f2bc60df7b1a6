import { createLazyRoute } from "@tanstack/react-router";
import { Page } from "~/kit/Page";

export const lazyRoute = createLazyRoute("/frame/test-send")({ component: TestSendScreen });

function TestSendScreen() {
  return <Page title="Test send" />;
}
