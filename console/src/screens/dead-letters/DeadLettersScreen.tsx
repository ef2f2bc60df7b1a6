import { createLazyRoute } from "@tanstack/react-router";
import { Page } from "~/kit/Page";

export const lazyRoute = createLazyRoute("/frame/dead-letters")({ component: DeadLettersScreen });

function DeadLettersScreen() {
  return <Page title="Dead letters" />;
}
