import styles from "./KeysHelp.module.css";

/** Which keys the editor takes for itself, and how to leave it. */
export function KeysHelp({ id }: { id: string }) {
  return (
    <p id={id} className={styles.keys}>
      <kbd>Tab</kbd> indents; <kbd>Esc</kbd> then <kbd>Tab</kbd> leaves the editor. <kbd>Ctrl</kbd>-
      <kbd>Space</kbd> completes, <kbd>Ctrl</kbd>-<kbd>S</kbd> saves a version.
    </p>
  );
}
