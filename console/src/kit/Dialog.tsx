import { Dialog as Base } from "@base-ui/react/dialog";
import { type FormEvent, type ReactNode, useEffect, useId, useState } from "react";
import { Button } from "./Button";
import { classes } from "./classes";
import styles from "./Dialog.module.css";
import { ErrorNote } from "./ErrorNote";
import { TextField } from "./Field";
import { useFirstFault } from "./useFirstFault";

interface DialogProps {
  isOpen: boolean;
  onClose: () => void;
  title: string;
  text?: ReactNode;
  isWide?: boolean;
  children?: ReactNode;
}

/** A dialog: the focus goes into it, stays there, and returns. Escape closes it. */
export function Dialog({ isOpen, onClose, title, text, isWide = false, children }: DialogProps) {
  return (
    <Base.Root open={isOpen} onOpenChange={(open) => !open && onClose()}>
      <Base.Portal>
        <Base.Backdrop className={styles.backdrop} />
        <Base.Popup className={classes(styles.popup, isWide && styles.wide)}>
          <Base.Title>{title}</Base.Title>
          {text ? <Base.Description className={styles.text}>{text}</Base.Description> : null}
          {children}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

interface FormDialogProps extends DialogProps {
  /** What the button does: "Create", "Save". */
  action: string;
  onSubmit: () => void;
  isBusy?: boolean;
  error?: Error | null;
  isDangerous?: boolean;
  isDisabled?: boolean;
  /** It was done, and can be done again: there is nothing to cancel, the other button closes. */
  isDone?: boolean;
}

/** A dialog with a form: Enter submits, errors stand above the buttons. */
export function FormDialog({
  action,
  onSubmit,
  isBusy = false,
  error = null,
  isDangerous = false,
  isDisabled = false,
  isDone = false,
  children,
  ...dialog
}: FormDialogProps) {
  const form = useFirstFault(error, isBusy);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    event.stopPropagation();
    if (!isBusy && !isDisabled) {
      onSubmit();
    }
  };
  return (
    <Dialog {...dialog}>
      <form ref={form} className={styles.body} onSubmit={submit}>
        {children}
        {error ? <ErrorNote error={error} /> : null}
        <div className={styles.actions}>
          <Button onClick={dialog.onClose}>{isDone ? "Close" : "Cancel"}</Button>
          <Button
            type="submit"
            look={isDangerous ? "danger" : "primary"}
            isBusy={isBusy}
            disabled={isDisabled}
          >
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

interface ConfirmProps extends Omit<FormDialogProps, "children" | "isDisabled" | "isDangerous" | "isDone"> {
  /** What has to be typed; absent: the button alone confirms. */
  name?: string;
}

/** Ask before something is lost. What cannot be undone asks for the object's name. */
export function Confirm({ name, ...dialog }: ConfirmProps) {
  const [typed, setTyped] = useState("");
  const id = useId();
  useEffect(() => {
    if (!dialog.isOpen) {
      setTyped(""); // the next time it is asked for again
    }
  }, [dialog.isOpen]);
  return (
    <FormDialog {...dialog} isDangerous isDisabled={name !== undefined && typed !== name}>
      {name === undefined ? null : (
        <TextField
          key={id}
          label={`Type ${name} to confirm`}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          autoComplete="off"
          spellCheck={false}
        />
      )}
    </FormDialog>
  );
}
