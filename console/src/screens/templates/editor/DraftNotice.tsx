import { useState } from "react";
import { Button, LinkButton } from "~/kit/Button";
import { Time } from "~/kit/Time";
import type { Template } from "../data";
import styles from "./DraftNotice.module.css";
import type { StoredDraft } from "./draft";

interface DraftNoticeProps {
  draft: StoredDraft;
  newest: Template | null;
  onDiscard: () => void;
}

/** Says that an unsaved draft of this browser was restored, and whether it is based on an older version. */
export function DraftNotice({ draft, newest, onDiscard }: DraftNoticeProps) {
  const [isShown, setShown] = useState(true);
  if (!isShown) {
    return null;
  }
  const isOlder = newest !== null && draft.basedOn?.id !== newest.id;
  return (
    <div className={styles.notice} role="status">
      <p>
        Your unsaved draft was restored, last changed <Time at={draft.savedAt} />.
        {isOlder ? (
          <>
            {" "}
            {draft.basedOn === null
              ? `It was begun before version ${newest.version} was saved.`
              : `It is based on version ${draft.basedOn.version}; version ${newest.version} is newer.`}{" "}
            When you save, you see both and choose.
          </>
        ) : null}
      </p>
      <div className={styles.actions}>
        {isOlder ? (
          <LinkButton size="small" to="/templates/$templateId" params={{ templateId: newest.id }}>
            Look at version {newest.version}
          </LinkButton>
        ) : null}
        <Button
          size="small"
          onClick={() => {
            setShown(false);
            onDiscard();
          }}
        >
          Discard the draft
        </Button>
        <Button size="small" look="quiet" onClick={() => setShown(false)}>
          Keep editing
        </Button>
      </div>
    </div>
  );
}
