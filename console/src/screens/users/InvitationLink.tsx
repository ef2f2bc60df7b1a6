import { ShownOnce } from "~/kit/ShownOnce";
import { Time } from "~/kit/Time";
import type { Invitation } from "./queries";

/** Show a new link, which works once and is shown once. */
export function InvitationLink({
  invitation,
  onClose,
}: {
  invitation: Invitation | null;
  onClose: () => void;
}) {
  const isReset = invitation?.kind === "password_reset";
  return (
    <ShownOnce secret={invitation?.url ?? null} what="link" onClose={onClose}>
      <p>
        Send it to the person by a way that only they read. Whoever opens it first sets the password
        {isReset ? ", and their sessions end" : ""}. It ends <Time at={invitation?.expires_at} />.
      </p>
    </ShownOnce>
  );
}
