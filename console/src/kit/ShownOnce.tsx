import type { ReactNode } from "react";
import { Button } from "./Button";
import { Copyable } from "./Copy";
import { Dialog } from "./Dialog";
import styles from "./Form.module.css";

interface ShownOnceProps {
  /** The secret; null: the dialog is closed. */
  secret: string | null;
  /** Its name, as in "API key". */
  what: string;
  onClose: () => void;
  /** How to use it, for example a command to copy. */
  children?: ReactNode;
}

/** Show a new secret, which cannot be shown again. */
export function ShownOnce({ secret, what, onClose, children }: ShownOnceProps) {
  return (
    <Dialog
      isOpen={secret !== null}
      onClose={onClose}
      title={`New ${what}`}
      text={`Copy it now and keep it in a safe place: Clarion does not show this ${what} again.`}
      isWide
    >
      <div className={styles.form}>
        <Copyable text={secret ?? ""} what={what} />
        {children}
        <div>
          <Button look="primary" onClick={onClose}>
            I have copied it
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
