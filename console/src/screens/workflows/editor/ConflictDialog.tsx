import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useMemo } from "react";
import { Button } from "~/kit/Button";
import { Dialog } from "~/kit/Dialog";
import { ErrorNote } from "~/kit/ErrorNote";
import { Loading } from "~/kit/Loading";
import { type Named, type Workflow, workflowQuery } from "../data";
import { outline } from "../words";
import { type Content, contentOf } from "./content";
import styles from "./StepList.module.css";
import { useNames } from "./useNames";

// Comparing needs the code editor, which this screen does without until then.
const DiffView = lazy(() =>
  import("~/screens/templates/editor/DiffView").then(({ DiffView }) => ({ default: DiffView })),
);

interface ConflictDialogProps {
  path: Named;
  isOpen: boolean;
  mine: Content;
  isBusy: boolean;
  onClose: () => void;
  onKeepMine: () => void;
  onTakeTheirs: (theirs: Workflow, content: Content) => void;
}

/** Two people edited the same workflow: shows both, and lets the second one choose. */
export function ConflictDialog({ isOpen, onClose, ...rest }: ConflictDialogProps) {
  return (
    <Dialog
      isOpen={isOpen}
      onClose={onClose}
      title="Another version was saved meanwhile"
      text="Somebody saved it after you had begun. Nothing of yours is lost: choose what becomes the newest version."
      isWide
    >
      {isOpen ? <Choice onClose={onClose} {...rest} /> : null}
    </Dialog>
  );
}

function Choice({
  path,
  mine,
  isBusy,
  onClose,
  onKeepMine,
  onTakeTheirs,
}: Omit<ConflictDialogProps, "isOpen">) {
  const { data: theirs, error, isFetching } = useQuery({ ...workflowQuery(path), staleTime: 0 });
  const names = useNames(path.id);
  const sides = useMemo(() => {
    const content = theirs && contentOf(theirs);
    return content
      ? {
          content,
          before: { label: `Version ${theirs.version}`, text: outline(content.document, names) },
          after: { label: "Yours", text: outline(mine.document, names) },
        }
      : null;
  }, [theirs, mine, names]);
  if (error) {
    return <ErrorNote error={error} />;
  }
  if (theirs === undefined || isFetching || sides === null) {
    return <Loading />;
  }
  return (
    <>
      <Suspense fallback={<Loading />}>
        <DiffView before={sides.before} after={sides.after} />
      </Suspense>
      <div className={styles.buttons}>
        <Button onClick={onClose}>Go on editing</Button>
        <Button onClick={() => onTakeTheirs(theirs, sides.content)} disabled={isBusy}>
          Drop mine, open version {theirs.version}
        </Button>
        <Button look="primary" onClick={onKeepMine} isBusy={isBusy}>
          Save mine as the newest version
        </Button>
      </div>
    </>
  );
}
