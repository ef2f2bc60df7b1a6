import type { ReactNode } from "react";
import styles from "./Badge.module.css";
import { classes } from "./classes";

export type Tone = "good" | "bad" | "wait" | "calm" | "neutral";

/** A short word with a color. The word alone says everything. */
export function Badge({
  tone = "neutral",
  children,
  title,
}: {
  tone?: Tone;
  children: ReactNode;
  title?: string;
}) {
  return (
    <span className={classes(styles.badge, tone !== "neutral" && styles[tone])} title={title}>
      {children}
    </span>
  );
}

const TONES: Readonly<Record<string, Tone>> = {
  queued: "calm",
  retrying: "wait",
  skipped: "neutral",
  sent: "good",
  delivered: "good",
  failed: "bad",
  dead: "bad",
  bounced: "bad",
  complained: "bad",
  canceled: "neutral",
};

/** The status of a delivery (`docs/statuses.md`). */
export function StatusBadge({ status, title }: { status: string | null; title?: string }) {
  return (
    <Badge tone={TONES[status ?? ""] ?? "neutral"} {...(title && { title })}>
      {status ?? "unknown"}
    </Badge>
  );
}
