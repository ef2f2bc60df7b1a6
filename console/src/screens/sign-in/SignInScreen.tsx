import { createLazyRoute } from "@tanstack/react-router";
import { Page } from "~/kit/Page";

export const lazyRoute = createLazyRoute("/sign-in")({ component: SignInScreen });

function SignInScreen() {
  return <Page title="Sign in" />;
}
