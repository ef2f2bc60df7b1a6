import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Button } from "~/kit/Button";
import { Dialog } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import type { Part } from "../data";
import styles from "../editor/ConflictDialog.module.css";
import { DiffView } from "../editor/DiffView";
import { partQuery } from "./data";

interface PartConflictProps {
  conflict: { id: string; version: number } | null;
  mine: string;
  isBusy: boolean;
  onClose: () => void;
  onKeepMine: () => void;
  onTakeTheirs: (theirs: Part) => void;
}

/** Two people edited the same layout or partial: shows both, and lets the second one choose. */
export function PartConflict({
  conflict,
  mine,
  isBusy,
  onClose,
  onKeepMine,
  onTakeTheirs,
}: PartConflictProps) {
  const { data: theirs, error } = useQuery({
    ...partQuery(conflict?.id ?? ""),
    enabled: conflict !== null,
  });
  const before = useMemo(
    () => ({ label: `Version ${conflict?.version ?? ""}`, text: theirs?.body ?? "" }),
    [conflict, theirs],
  );
  const after = useMemo(() => ({ label: "Yours", text: mine }), [mine]);
  return (
    <Dialog
      isOpen={conflict !== null}
      onClose={onClose}
      title={`Version ${conflict?.version ?? ""} was saved meanwhile`}
      text="Somebody saved it after you had begun. Nothing of yours is lost: choose what becomes the newest version."
      isWide
    >
      {error ? <ErrorNote error={error} /> : null}
      {theirs === undefined ? (
        <Loading />
      ) : (
        <>
          <DiffView before={before} after={after} />
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
      )}
    </Dialog>
  );
}
