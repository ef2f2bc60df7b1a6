import { EmptyState } from "~/kit/Page";

/** Stands on a screen that shows one tenant's objects while none is chosen. */
export function ChooseTenant({ what }: { what: string }) {
  return (
    <EmptyState
      title="Choose a tenant"
      text={`${what} belong to a tenant. Choose one at the top of the page.`}
    />
  );
}
