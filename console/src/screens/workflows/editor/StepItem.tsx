import { combine } from "@atlaskit/pragmatic-drag-and-drop/combine";
import { draggable, dropTargetForElements } from "@atlaskit/pragmatic-drag-and-drop/element/adapter";
import {
  CircleStop,
  Clock,
  Ellipsis,
  GitFork,
  GripVertical,
  type LucideIcon,
  Mail,
  Split,
  Webhook,
} from "lucide-react";
import { type KeyboardEvent, useEffect, useRef } from "react";
import { Button, IconButton } from "~/kit/Button";
import { Menu } from "~/kit/Menu";
import { listsOf, type Place, type Step, type StepKind } from "../document";
import { ruleWords } from "../rules";
import { listWords, stepWords, titleOf } from "../words";
import { useEditor } from "./context";
import { OutcomeBadge } from "./OutcomeBadge";
import { StepFields } from "./StepFields";
import { StepList } from "./StepList";
import styles from "./StepList.module.css";

const ICONS: Readonly<Record<StepKind, LucideIcon>> = {
  send: Mail,
  delay: Clock,
  condition: Split,
  parallel: GitFork,
  webhook: Webhook,
  stop: CircleStop,
};
const DIRECTIONS: Readonly<Record<string, -1 | 1>> = { ArrowUp: -1, ArrowDown: 1 };
/** The id of the text that explains the handles. */
export const HANDLE_HELP = "workflow-handle-help";

/** One step: what it does in words, its fields when they are open, and the steps within it. */
export function StepItem({ step, place }: { step: Step; place: Place }) {
  const editor = useEditor();
  const { mayChange, names, openId, open } = editor;
  const row = useRef<HTMLDivElement>(null);
  useDragging(step, place, row);
  const isOpen = openId === step.id;
  const title = titleOf(step, names);
  const Icon = ICONS[step.kind];
  const faults = editor.faults.get(step.id) ?? [];
  const onKey = (event: KeyboardEvent) => {
    const direction = DIRECTIONS[event.key];
    if (direction !== undefined) {
      event.preventDefault();
      editor.step(step.id, direction);
    }
  };
  return (
    <div className={styles.item} data-dragged={editor.draggedId === step.id || undefined}>
      <div ref={row} className={styles.row} data-faulty={faults.length > 0 || undefined}>
        {mayChange ? (
          <IconButton
            label={`Move “${title}”`}
            aria-describedby={HANDLE_HELP}
            size="small"
            data-handle={step.id}
            onKeyDown={onKey}
          >
            <GripVertical aria-hidden />
          </IconButton>
        ) : null}
        <Icon aria-hidden className={styles.icon} />
        <div className={styles.what}>
          <p className={styles.title}>
            <bdi>{title}</bdi> <OutcomeBadge step={editor.outcomes.get(step.id)} />
          </p>
          {step.name ? <p className={styles.soft}>{stepWords(step, names)}</p> : null}
          {step.only_if ? <p className={styles.soft}>Only if {ruleWords(step.only_if)}</p> : null}
          {faults.length > 0 && !isOpen ? (
            <p className={styles.bad}>
              {faults.map((one) => `${one.field} ${one.detail}`.trim()).join("; ")}
            </p>
          ) : null}
        </div>
        {mayChange ? (
          <div className={styles.buttons}>
            <Button size="small" aria-expanded={isOpen} onClick={() => open(isOpen ? null : step.id)}>
              {isOpen ? "Done" : "Edit"}
              <span className="unseen"> “{title}”</span>
            </Button>
            <Menu
              trigger={
                <IconButton label={`More about “${title}”`} size="small">
                  <Ellipsis aria-hidden />
                </IconButton>
              }
              items={[
                { label: "Move up", onSelect: () => editor.step(step.id, -1) },
                { label: "Move down", onSelect: () => editor.step(step.id, 1) },
                { label: "Duplicate", onSelect: () => editor.duplicate(step.id) },
                { label: "Remove", onSelect: () => editor.remove(step.id) },
              ]}
            />
          </div>
        ) : null}
      </div>
      {isOpen ? <StepFields step={step} /> : null}
      {listsOf(step).map((steps, list) => {
        const words = listWords(step, list);
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a list is known by its place
          <section key={list} className={styles.inner} aria-label={`${words}, of “${title}”`}>
            <h3>{words}</h3>
            <StepList label={`“${words}” of “${title}”`} steps={steps} parent={step.id} list={list} />
          </section>
        );
      })}
    </div>
  );
}

/** Let the row be dragged, and take others: above its middle before it, below after it. */
function useDragging(step: Step, place: Place, row: React.RefObject<HTMLDivElement | null>): void {
  const { mayChange, setDragged } = useEditor();
  const { id } = step;
  const { parent, list, index } = place;
  const holdsSteps = listsOf(step).length > 0;
  const told = useRef(setDragged);
  told.current = setDragged;
  useEffect(() => {
    const element = row.current;
    if (!mayChange || element === null) {
      return;
    }
    const before = { parent, list, index };
    // What follows a step with steps of its own is its first list.
    const after = holdsSteps ? { parent: id, list: 0, index: 0 } : { parent, list, index: index + 1 };
    return combine(
      draggable({
        element,
        getInitialData: () => ({ stepId: id }),
        onDragStart: () => told.current(id),
        onDrop: () => told.current(null),
      }),
      dropTargetForElements({
        element,
        getData: ({ input }) => {
          const { top, height } = element.getBoundingClientRect();
          return { place: input.clientY < top + height / 2 ? before : after };
        },
      }),
    );
  }, [id, parent, list, index, holdsSteps, mayChange, row]);
}
