import type { ErrorComponentProps } from "@tanstack/react-router";
import { LinkButton } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { EmptyState, Page } from "~/kit/Page";

/** Shown in place of a screen that failed. */
export function Failure({ error, reset }: ErrorComponentProps) {
  return (
    <Page title="Something failed">
      <ErrorNote error={error instanceof Error ? error : new Error(String(error))} onRetry={reset} />
    </Page>
  );
}

/** Shown for a path that no screen has. */
export function NotFound() {
  return (
    <Page title="Not found">
      <EmptyState
        title="There is no such page"
        text="The address may be mistyped, or the page was moved."
        action={<LinkButton to="/messages">Go to Messages</LinkButton>}
      />
    </Page>
  );
}
