import { dropTargetForElements } from "@atlaskit/pragmatic-drag-and-drop/element/adapter";
import { Plus } from "lucide-react";
import { useEffect, useRef } from "react";
import { IconButton } from "~/kit/Button";
import { Menu } from "~/kit/Menu";
import { KINDS, type Place, type Step } from "../document";
import { KIND_WORDS, titleOf } from "../words";
import { useEditor } from "./context";
import { StepItem } from "./StepItem";
import styles from "./StepList.module.css";

interface StepListProps {
  label: string;
  steps: readonly Step[];
  parent: string | null;
  list: number;
}

/** Steps in their order; between them places to put one. */
export function StepList({ label, steps, parent, list }: StepListProps) {
  const { mayChange } = useEditor();
  return (
    <div className={styles.steps}>
      {steps.length > 0 ? (
        <ol aria-label={label}>
          {steps.map((step, index) => (
            <li key={step.id}>
              {mayChange ? <Gap place={{ parent, list, index }} before={step} /> : null}
              <StepItem step={step} place={{ parent, list, index }} />
            </li>
          ))}
        </ol>
      ) : mayChange ? null : (
        <p className={styles.soft}>Nothing</p>
      )}
      {mayChange ? <Gap place={{ parent, list, index: steps.length }} before={null} where={label} /> : null}
    </div>
  );
}

/** A place for a step: takes one that is dragged, and offers the kinds that can be added. */
function Gap({ place, before, where = "" }: { place: Place; before: Step | null; where?: string }) {
  const { add, document, names, target } = useEditor();
  const gap = useRef<HTMLDivElement>(null);
  const { parent, list, index } = place;
  useEffect(() => {
    const element = gap.current;
    return element
      ? dropTargetForElements({ element, getData: () => ({ place: { parent, list, index } }) })
      : undefined;
  }, [parent, list, index]);
  const isTarget = target?.parent === parent && target.list === list && target.index === index;
  const label =
    before !== null
      ? `Add a step before “${titleOf(before, names)}”`
      : document.steps.length === 0
        ? "Add the first step"
        : `Add a step at the end of ${where}`;
  return (
    <div
      ref={gap}
      className={styles.gap}
      data-target={isTarget || undefined}
      data-end={before === null || undefined}
    >
      <Menu
        trigger={
          <IconButton label={label} size="small" className={styles.add}>
            <Plus aria-hidden />
            {before === null ? <span aria-hidden>Add a step</span> : null}
          </IconButton>
        }
        items={KINDS.map((kind) => ({ label: KIND_WORDS[kind], onSelect: () => add(place, kind) }))}
      />
    </div>
  );
}
