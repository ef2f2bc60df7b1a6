import type { ErrorComponentProps } from "@tanstack/react-router";
import { Problem } from "~/api/problem";
import { LinkButton } from "~/kit/Button";
import { ErrorNote } from "~/kit/ErrorNote";
import { EmptyState, Page } from "~/kit/Page";
import styles from "./Failure.module.css";

const HOME = <LinkButton to="/messages">Go to Messages</LinkButton>;

/** Shown in place of a screen that failed. */
export function Failure({ error, reset }: ErrorComponentProps) {
  if (error instanceof Problem && error.status === 403) {
    return <NoAccess error={error} />;
  }
  if (error instanceof Problem && error.status === 404) {
    return (
      <Page title="Not found">
        <EmptyState title="This does not exist" text={error.message} action={HOME} />
      </Page>
    );
  }
  return (
    <Page title="Something failed">
      <ErrorNote error={error instanceof Error ? error : new Error(String(error))} onRetry={reset} />
    </Page>
  );
}

/** Shown where not even the frame around the screens can be shown. */
export function FailureAlone(props: ErrorComponentProps) {
  return (
    <main className={styles.alone}>
      <Failure {...props} />
    </main>
  );
}

/** Shown to people who may not see a screen. */
export function NoAccess({ error }: { error: Error }) {
  return (
    <Page title="No access">
      <EmptyState
        title="Your role does not allow this"
        text={`${error.message} An owner can give you another role under Settings, Users.`}
        action={HOME}
      />
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
        action={HOME}
      />
    </Page>
  );
}
