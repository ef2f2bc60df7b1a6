import styles from "./Loading.module.css";

/** Stands where something is on its way. */
export function Loading({ what = "Loading" }: { what?: string }) {
  return (
    <div className={styles.loading} role="status">
      {what} …
    </div>
  );
}
