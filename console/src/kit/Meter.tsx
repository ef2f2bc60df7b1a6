import styles from "./Meter.module.css";

/** How much of something is used, with a bar. The numbers say it, too. */
export function Meter({ label, used, bound }: { label: string; used: number; bound: number }) {
  return (
    <meter
      className={styles.meter}
      aria-label={label}
      min={0}
      max={Math.max(bound, 1)}
      low={bound * 0.75}
      high={bound * 0.9}
      optimum={0}
      value={used}
    />
  );
}

/** How far work has come. Without a total the bar only moves. */
export function Progress({ label, done, total }: { label: string; done: number; total: number | null }) {
  return (
    <progress
      className={styles.progress}
      aria-label={label}
      {...(total === null ? {} : { value: Math.min(done, total), max: Math.max(total, 1) })}
    />
  );
}
