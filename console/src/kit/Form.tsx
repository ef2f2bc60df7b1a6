import type { FormEvent, ReactNode } from "react";
import { Button } from "./Button";
import { ErrorNote } from "./ErrorNote";
import styles from "./Form.module.css";
import { useFirstFault } from "./useFirstFault";

interface FormProps {
  onSubmit: () => void;
  action: string;
  isBusy?: boolean;
  /** Nothing to submit, or not allowed. */
  isDisabled?: boolean;
  error?: Error | null;
  children: ReactNode;
}

/** A form within a page: its fields, what went wrong, and one button. Enter submits. A wrong field gets the focus. */
export function Form({
  onSubmit,
  action,
  isBusy = false,
  isDisabled = false,
  error = null,
  children,
}: FormProps) {
  const form = useFirstFault(error, isBusy);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isBusy && !isDisabled) {
      onSubmit();
    }
  };
  return (
    <form ref={form} className={styles.form} onSubmit={submit}>
      {children}
      {error ? <ErrorNote error={error} /> : null}
      <div>
        <Button type="submit" look="primary" isBusy={isBusy} disabled={isDisabled}>
          {action}
        </Button>
      </div>
    </form>
  );
}

/** Fields side by side where there is room. */
export function FieldRow({ children }: { children: ReactNode }) {
  return <div className={styles.row}>{children}</div>;
}

/** Fields that belong together, under a name. */
export function FieldGroup({
  legend,
  help,
  error,
  children,
}: {
  legend: string;
  help?: ReactNode;
  /** What is wrong with the fields as a whole. */
  error?: string | undefined;
  children: ReactNode;
}) {
  return (
    <fieldset className={styles.group}>
      <legend>{legend}</legend>
      {help ? <p className={styles.help}>{help}</p> : null}
      {children}
      {error ? <p className={styles.bad}>{error}</p> : null}
    </fieldset>
  );
}
