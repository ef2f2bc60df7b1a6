import "./styles/tokens.css";
import "./styles/base.css";
import { CSPProvider } from "@base-ui/react/csp-provider";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Problem } from "./api/problem";
import { nonce } from "./kit/nonce";
import { ToastProvider } from "./kit/Toast";
import { consoleRouter, fetchScreen } from "./router";
import { focusNewScreens, keepFocus } from "./shell/focus";
import { reloadForNewVersions } from "./shell/newVersion";
import { leaveWhenSignedOut } from "./shell/signedOut";
import { applyTheme } from "./shell/theme";

const RETRIES = 2;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // What the caller did wrong does not become right by repetition.
      retry: (failed, error) => failed < RETRIES && !(error instanceof Problem && error.status < 500),
    },
  },
});
const router = consoleRouter(queries);
const root = document.getElementById("root");
if (root === null) {
  throw new Error("index.html has no element with the id root");
}
applyTheme();
reloadForNewVersions();
fetchScreen(router);
keepFocus();
focusNewScreens(router);
leaveWhenSignedOut(queries, () => void router.invalidate());
// A problem that a screen shows is no fault of the page. Everything else that a screen could not handle is.
const noteCaught = (error: unknown) => {
  if (!(error instanceof Problem)) {
    console.error(error);
  }
};
createRoot(root, { onCaughtError: noteCaught }).render(
  <StrictMode>
    <CSPProvider nonce={nonce}>
      <QueryClientProvider client={queries}>
        <ToastProvider>
          <RouterProvider router={router} />
        </ToastProvider>
      </QueryClientProvider>
    </CSPProvider>
  </StrictMode>,
);
