import { monitorForElements } from "@atlaskit/pragmatic-drag-and-drop/element/adapter";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { Problem } from "~/api/problem";
import { Button } from "~/kit/Button";
import { readDraft, useKeptDraft } from "~/kit/draft";
import { ErrorNote } from "~/kit/ErrorNote";
import { Card } from "~/kit/Page";
import { notify } from "~/kit/Toast";
import { useSettled } from "~/kit/useSettled";
import type { Fault, Workflow } from "../data";
import { check } from "../data";
import {
  copyOf,
  insertStep,
  isSame,
  mayMove,
  moveStep,
  newStep,
  nextPlace,
  type Place,
  placesFor,
  removeStep,
  updateStep,
  walk,
} from "../document";
import { listWords, titleOf } from "../words";
import { ConflictDialog } from "./ConflictDialog";
import { type Content, isSameContent, useEditing } from "./content";
import { EditorContext, type EditorState, type StepFault } from "./context";
import { DryRunCard } from "./DryRunCard";
import { StartCard } from "./StartCard";
import { HANDLE_HELP } from "./StepItem";
import { StepList } from "./StepList";
import styles from "./StepList.module.css";
import { useDryRun } from "./useDryRun";
import { useNames } from "./useNames";
import { useSaving } from "./useSaving";

interface WorkflowEditorProps {
  tenantId: string;
  /** null: it is not stored yet. */
  workflow: Workflow | null;
  start: Content;
  mayChange: boolean;
  onSaved?: (saved: Workflow) => void;
}

interface Draft {
  content: Content;
  version: number;
}

const NO_FAULTS: readonly Fault[] = [];

/** The steps of a workflow with their editors left, a dry run right. */
export function WorkflowEditor({ tenantId, workflow, start, mayChange, onSaved }: WorkflowEditorProps) {
  const key = `clarion-workflow:${tenantId}/${workflow?.id ?? "new"}`;
  const [restored, setRestored] = useState(() => (mayChange ? readDraft<Draft>(key, start) : null));
  const editing = useEditing(() => restored?.content ?? start);
  const [basedOn, setBasedOn] = useState(restored?.version ?? workflow?.version ?? 0);
  const { content, changeDocument } = editing;
  const { document } = content;
  // Somebody else has saved: who has changed nothing goes on with theirs.
  const [known, setKnown] = useState(start);
  if (!isSameContent(known, start)) {
    setKnown(start);
    if (isSameContent(content, known)) {
      editing.reset(start);
      setBasedOn(workflow?.version ?? 0);
    }
  }
  const isChanged = workflow === null || !isSameContent(content, start);
  const kept = isChanged && mayChange && !isSameContent(content, start);
  const { drop } = useKeptDraft(key, kept ? { content, version: basedOn } : null);
  const names = useNames(tenantId);
  const faults = useFaults(tenantId, content, mayChange);
  const byStep = useMemo(() => faultsByStep(faults, content), [faults, content]);
  const canRun = faults.length === 0 && document.steps.length > 0;
  const dryRun = useDryRun(tenantId, document, content.event_type, canRun);
  const saving = useSaving(tenantId, workflow, content, basedOn, (saved) => {
    drop();
    setBasedOn(saved.version);
    setRestored(null);
    onSaved?.(saved);
  });
  const ui = useStepUi();
  const moving = useRef<(id: string, place: Place) => void>(() => undefined);
  const { setDragged, setTarget } = ui;
  const move = (id: string, place: Place) => {
    const moved = moveStep(document, id, place);
    if (isSame(moved, document)) {
      ui.say("It stays where it is.");
      return;
    }
    changeDocument(() => moved);
    const places = placesFor(moved, id);
    const own = walk(moved).find((one) => one.step.id === id);
    const at = places.findIndex((one) => JSON.stringify(one) === JSON.stringify(own?.place));
    const parent = walk(moved).find((one) => one.step.id === own?.place.parent)?.step;
    const within =
      own && parent ? `, in “${listWords(parent, own.place.list)}” of ${titleOf(parent, names)}` : "";
    ui.say(
      `${own ? titleOf(own.step, names) : "The step"} is now at place ${at + 1} of ${places.length - 1}${within}.`,
    );
  };
  moving.current = move;
  useEffect(
    () =>
      monitorForElements({
        onDrag: ({ location, source }) => {
          const place = placeOf(location.current.dropTargets);
          setTarget(place && mayMove(document, String(source.data.stepId), place) ? place : null);
        },
        onDrop: ({ location, source }) => {
          const place = placeOf(location.current.dropTargets);
          setTarget(null);
          setDragged(null);
          if (place) {
            moving.current(String(source.data.stepId), place);
          }
        },
      }),
    [document, setDragged, setTarget],
  );
  const state: EditorState = {
    tenantId,
    document,
    mayChange,
    names,
    faults: byStep.steps,
    outcomes: dryRun.outcomes,
    ...{ openId: ui.openId, addedId: ui.addedId, draggedId: ui.draggedId, target: ui.target },
    open: ui.open,
    setDragged,
    add: (place, kind) => {
      const step = newStep(kind);
      changeDocument((known) => insertStep(known, place, step));
      ui.openNew(step.id);
    },
    update: (id, change, about) =>
      changeDocument((known) => updateStep(known, id, change), about && `${id}/${about}`),
    step: (id, direction) => {
      const place = nextPlace(document, id, direction);
      if (place) {
        move(id, place);
        ui.focusHandle(id);
      } else {
        ui.say(direction < 0 ? "It is the first step." : "It is the last step.");
      }
    },
    duplicate: (id) => {
      const found = walk(document).find((one) => one.step.id === id);
      if (found) {
        const place = { ...found.place, index: found.place.index + 1 };
        changeDocument((known) => insertStep(known, place, copyOf(found.step)));
      }
    },
    remove: (id) => {
      changeDocument((known) => removeStep(known, id));
      ui.open(null);
      notify("The step is removed. “Undo” brings it back.");
    },
  };
  return (
    <EditorContext value={state}>
      <div className={styles.editor}>
        {restored ? (
          <div className={styles.notice} role="status">
            <p>
              Your unsaved changes were restored
              {workflow && restored.version !== workflow.version
                ? `; they are based on version ${restored.version}`
                : ""}
              .
            </p>
            <Button
              size="small"
              onClick={() => {
                editing.reset(start);
                setBasedOn(workflow?.version ?? 0);
                setRestored(null);
              }}
            >
              Discard them
            </Button>
          </div>
        ) : null}
        {mayChange ? (
          <div className={styles.toolbar} role="toolbar" aria-label="Workflow">
            <Button look="primary" onClick={saving.save} isBusy={saving.isBusy} disabled={!isChanged}>
              {workflow === null ? "Create workflow" : "Save"}
            </Button>
            <Button onClick={editing.undo} disabled={!editing.canUndo}>
              Undo
            </Button>
            <span className={styles.soft} aria-live="polite">
              {faults.length > 0
                ? `${faults.length} ${faults.length === 1 ? "thing is" : "things are"} wrong`
                : isChanged
                  ? workflow && isSame(document, start.document)
                    ? "Changes that are not saved"
                    : `Not saved: version ${(workflow?.version ?? 0) + 1}`
                  : "Nothing to save"}
            </span>
          </div>
        ) : null}
        {saving.error && !isAtFields(saving.error) ? <ErrorNote error={saving.error} /> : null}
        {saving.error && isAtFields(saving.error) ? (
          <p role="alert" className={styles.bad}>
            Not saved: what is wrong is marked below.
          </p>
        ) : null}
        <div className={styles.panes}>
          <div className={styles.side}>
            <StartCard
              key={restored ? "restored" : "start"}
              tenantId={tenantId}
              editing={editing}
              mayChange={mayChange}
              names={names}
              isNew={workflow === null}
              error={(field) =>
                (saving.error instanceof Problem ? saving.error.fields.get(field) : undefined) ??
                byStep.others.get(field)
              }
            />
            <Card title="Steps">
              {mayChange ? (
                <p id={HANDLE_HELP} className={styles.soft}>
                  Drag a step, or move it with the arrow keys on its handle.
                </p>
              ) : null}
              {byStep.others.get("steps") && document.steps.length > 0 ? (
                <p className={styles.bad}>Steps {byStep.others.get("steps")}</p>
              ) : null}
              <StepList label="the steps" steps={document.steps} parent={null} list={0} />
            </Card>
          </div>
          <div className={styles.beside}>
            <DryRunCard dryRun={dryRun} eventType={content.event_type} canRun={canRun} />
          </div>
        </div>
        <div className="unseen" aria-live="assertive">
          {ui.said}
        </div>
        {workflow ? (
          <ConflictDialog
            path={{ id: tenantId, workflow_id: workflow.id }}
            isOpen={saving.isConflict}
            mine={content}
            isBusy={saving.isBusy}
            onClose={saving.dismiss}
            onKeepMine={saving.saveAnyway}
            onTakeTheirs={(theirs, theirContent) => {
              editing.reset(theirContent);
              setBasedOn(theirs.version);
              saving.dismiss();
              onSaved?.(theirs);
            }}
          />
        ) : null}
      </div>
    </EditorContext>
  );
}

function placeOf(targets: readonly { data: Record<string | symbol, unknown> }[]): Place | null {
  return (targets[0]?.data.place as Place | undefined) ?? null;
}

/** Return whether all that is wrong stands beside a field or a step. */
function isAtFields(error: Error): boolean {
  return error instanceof Problem && error.status === 422 && error.fields.size > 0;
}

/** The state of the list of steps: the open, dragged and added step, and the text for screen readers. */
function useStepUi() {
  const [openId, setOpen] = useState<string | null>(null);
  const [addedId, setAdded] = useState<string | null>(null);
  const [draggedId, setDragged] = useState<string | null>(null);
  const [target, setTarget] = useState<Place | null>(null);
  const [said, say] = useState("");
  const [toFocus, setToFocus] = useState<{ id: string } | null>(null);
  // React makes a new handle for a step that moves to another list, so the focus is set again.
  useEffect(() => {
    if (toFocus) {
      window.document.querySelector<HTMLElement>(`[data-handle="${CSS.escape(toFocus.id)}"]`)?.focus();
    }
  }, [toFocus]);
  return {
    ...{ openId, addedId, draggedId, target, said, say, setDragged },
    setTarget: setTarget,
    open: (id: string | null) => {
      setOpen(id);
      setAdded(null);
    },
    openNew: (id: string) => {
      setOpen(id);
      setAdded(id);
    },
    focusHandle: (id: string) => setToFocus({ id }),
  };
}

/** Ask the server what is wrong with a document, a moment after its last change. */
function useFaults(tenantId: string, content: Content, mayChange: boolean): readonly Fault[] {
  const asked = useSettled(JSON.stringify(content.document));
  const query = useQuery({
    queryKey: ["workflow-check", tenantId, asked],
    queryFn: ({ signal }) => check(tenantId, JSON.parse(asked), signal),
    enabled: mayChange,
    placeholderData: (known) => known,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return query.data ?? NO_FAULTS;
}

function faultsByStep(faults: readonly Fault[], content: Content) {
  const found = walk(content.document);
  const steps = new Map<string, StepFault[]>();
  const others = new Map<string, string>();
  for (const { field, step, detail } of faults) {
    // The innermost step that the place lies within.
    const own = found.findLast((one) =>
      step
        ? one.step.id === step && field.startsWith(one.path)
        : field === one.path || field.startsWith(`${one.path}.`),
    );
    if (own) {
      const inner = field.slice(own.path.length).replace(/^\./, "");
      steps.set(own.step.id, [...(steps.get(own.step.id) ?? []), { field: inner, detail }]);
    } else {
      others.set(field.replace(/\[\d+\]$/, ""), detail);
    }
  }
  return { steps, others };
}
