import { createLink } from "@tanstack/react-router";
import type { AnchorHTMLAttributes, ButtonHTMLAttributes, Ref } from "react";
import styles from "./Button.module.css";
import { classes } from "./classes";

interface Look {
  look?: "primary" | "danger" | "quiet" | "plain";
  size?: "small" | "normal";
}

function look({ look = "plain", size = "normal" }: Look, className?: string): string {
  return classes(
    styles.button,
    look !== "plain" && styles[look],
    size === "small" && styles.small,
    className,
  );
}

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> &
  Look & {
    /** The action runs: the button cannot be pressed again, and says so. */
    isBusy?: boolean;
    ref?: Ref<HTMLButtonElement>;
  };

/** A button. It stays in the tab order while busy, so that the focus is not lost. */
export function Button({
  look: kind,
  size,
  isBusy = false,
  className,
  children,
  onClick,
  ...rest
}: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      className={look({ ...(kind && { look: kind }), ...(size && { size }) }, className)}
      aria-disabled={isBusy || undefined}
      onClick={isBusy ? (event) => event.preventDefault() : onClick}
    >
      {isBusy ? "…" : null}
      {children}
    </button>
  );
}

/** A button with an icon only. `label` is what it does, for screen readers and on hover. */
export function IconButton({ label, className, ...rest }: ButtonProps & { label: string }) {
  return (
    <Button
      look="quiet"
      {...rest}
      className={classes(styles.icon, className)}
      aria-label={label}
      title={label}
    />
  );
}

type AnchorProps = AnchorHTMLAttributes<HTMLAnchorElement> & Look & { ref?: Ref<HTMLAnchorElement> };

function Anchor({ look: kind, size, className, ...rest }: AnchorProps) {
  return <a {...rest} className={look({ ...(kind && { look: kind }), ...(size && { size }) }, className)} />;
}

/** A link within the console that looks like a button. */
export const LinkButton = createLink(Anchor);
