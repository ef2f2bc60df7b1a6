import { Combobox } from "@base-ui/react/combobox";
import { Check, ChevronsUpDown } from "lucide-react";
import type { AriaAttributes } from "react";
import styles from "./Chooser.module.css";
import { classes } from "./classes";
import { Field, type Labeled } from "./Field";

/** Something to choose. detail: what tells it apart from another one with the same label. */
export interface Choice {
  value: string;
  label: string;
  detail?: string | undefined;
}

interface ChooserProps {
  choices: readonly Choice[];
  /** null: nothing is chosen yet. */
  chosen: Choice | null;
  onChoose: (choice: Choice) => void;
  /** What the field in which one searches is called: "Find a tenant". */
  find: string;
  /** Says why there is no choice. */
  none: string;
  /** Called with what is typed: the choices are what a server found. Absent: they are searched here. */
  onSearch?: ((text: string) => void) | undefined;
  /** Of the button that opens the list. */
  trigger: AriaAttributes & { id?: string; className?: string | undefined };
}

/** A button that shows what is chosen, and opens a list that can be searched. */
export function Chooser({ choices, chosen, onChoose, find, none, onSearch, trigger }: ChooserProps) {
  return (
    <Combobox.Root
      items={choices}
      value={chosen}
      onValueChange={(choice) => choice && onChoose(choice)}
      isItemEqualToValue={(one: Choice, other: Choice) => one.value === other.value}
      {...(onSearch && { filter: null, onInputValueChange: onSearch })}
    >
      <Combobox.Trigger {...trigger} className={classes(styles.trigger, trigger.className)}>
        {chosen ? (
          <bdi className={styles.name}>{chosen.label}</bdi>
        ) : (
          <span className={classes(styles.name, styles.soft)}>Choose one</span>
        )}
        <ChevronsUpDown aria-hidden />
      </Combobox.Trigger>
      <Combobox.Portal>
        <Combobox.Positioner className={styles.positioner} sideOffset={4} align="start">
          <Combobox.Popup className={styles.popup} aria-label={find}>
            <Combobox.Input className={styles.input} placeholder={find} aria-label={find} />
            <Combobox.Empty className={styles.empty}>{none}</Combobox.Empty>
            <Combobox.List className={styles.list}>
              {(choice: Choice) => (
                <Combobox.Item key={choice.value} value={choice} className={styles.item}>
                  <Combobox.ItemIndicator className={styles.mark}>
                    <Check aria-hidden />
                  </Combobox.ItemIndicator>
                  <span className={styles.words}>
                    <bdi>{choice.label}</bdi>
                    {choice.detail ? (
                      <>
                        {" "}
                        <bdi className={styles.detail}>{choice.detail}</bdi>
                      </>
                    ) : null}
                  </span>
                </Combobox.Item>
              )}
            </Combobox.List>
          </Combobox.Popup>
        </Combobox.Positioner>
      </Combobox.Portal>
    </Combobox.Root>
  );
}

/** A field in which one of many is chosen from a list that can be searched. */
export function ChoiceField({
  label,
  help,
  error,
  isOptional = false,
  ...chooser
}: Omit<Labeled, "isLabelHidden" | "isMono"> & Omit<ChooserProps, "trigger">) {
  return (
    <Field label={label} help={help} error={error} isOptional={isOptional}>
      {({ className: _, ...marks }) => <Chooser {...chooser} trigger={marks} />}
    </Field>
  );
}
