import { createLazyRoute } from "@tanstack/react-router";
import { Page } from "~/kit/Page";

export const lazyRoute = createLazyRoute("/frame/settings")({ component: SettingsScreen });

function SettingsScreen() {
  return <Page title="Settings" />;
}
