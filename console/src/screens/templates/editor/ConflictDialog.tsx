import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Button } from "~/kit/Button";
import { Dialog } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { Time } from "~/kit/Time";
import { type Template, templateQuery } from "../data";
import styles from "./ConflictDialog.module.css";
import { DiffView } from "./DiffView";
import { type Content, contentOf } from "./draft";

interface ConflictDialogProps {
  /** The version that somebody has saved meanwhile; null: none. */
  conflict: { id: string; version: number } | null;
  mine: Content;
  isBusy: boolean;
  onClose: () => void;
  onKeepMine: () => void;
  onTakeTheirs: (theirs: Template) => void;
}

/** Two people edited the same template: shows both, and lets the second one choose. */
export function ConflictDialog({ conflict, ...rest }: ConflictDialogProps) {
  return (
    <Dialog
      isOpen={conflict !== null}
      onClose={rest.onClose}
      title={`Version ${conflict?.version ?? ""} was saved meanwhile`}
      text="Somebody saved it after you had begun. Nothing of yours is lost: choose what becomes the newest version."
      isWide
    >
      {conflict === null ? null : <Choice conflict={conflict} {...rest} />}
    </Dialog>
  );
}

function Choice({
  conflict,
  mine,
  isBusy,
  onClose,
  onKeepMine,
  onTakeTheirs,
}: ConflictDialogProps & { conflict: { id: string; version: number } }) {
  const { data: theirs, error } = useQuery(templateQuery(conflict.id));
  if (error) {
    return <ErrorNote error={error} />;
  }
  if (theirs === undefined) {
    return <Loading />;
  }
  return (
    <>
      <Comparison theirs={theirs} mine={mine} />
      <div className={styles.actions}>
        <Button onClick={onClose}>Go on editing</Button>
        <Button onClick={() => onTakeTheirs(theirs)} disabled={isBusy}>
          Drop mine, open version {theirs.version}
        </Button>
        <Button look="primary" onClick={onKeepMine} isBusy={isBusy}>
          Save mine as the newest version
        </Button>
      </div>
    </>
  );
}

function Comparison({ theirs, mine }: { theirs: Template; mine: Content }) {
  const before = useMemo(
    () => ({ label: `Version ${theirs.version}`, text: written(contentOf(theirs)) }),
    [theirs],
  );
  const after = useMemo(() => ({ label: "Yours", text: written(mine) }), [mine]);
  return (
    <>
      <p>
        Version {theirs.version} was saved <Time at={theirs.created_at} />
        {theirs.active ? " and is active" : ""}. The audit log names who did it.
      </p>
      <DiffView before={before} after={after} />
    </>
  );
}

/** Return a version's content in one text, for a comparison. */
export function written(content: Content): string {
  const lines = [];
  if (content.subject) {
    lines.push(`Subject: ${content.subject}`);
  }
  if (content.preheader) {
    lines.push(`Preheader: ${content.preheader}`);
  }
  if (content.layout) {
    lines.push(`Layout: ${content.layout}`);
  }
  if (content.push_namespace) {
    lines.push(`Realtime namespace: ${content.push_namespace}`);
  }
  if (content.subscribed) {
    lines.push("Recipients can unsubscribe");
  }
  return [...lines, ...(lines.length > 0 ? [""] : []), content.body].join("\n");
}
