import { createLink } from "@tanstack/react-router";
import type { AnchorHTMLAttributes, ReactNode, Ref } from "react";
import styles from "./LinkTabs.module.css";

/** The parts of an object or an area, each a page of its own: links in a row, the open one marked. */
export function LinkTabs({ label, children }: { label: string; children: ReactNode }) {
  return (
    <nav className={styles.row} aria-label={label}>
      {children}
    </nav>
  );
}

function Anchor(props: AnchorHTMLAttributes<HTMLAnchorElement> & { ref?: Ref<HTMLAnchorElement> }) {
  return <a {...props} className={styles.tab} />;
}

/** One of the links. It marks itself with `aria-current` while its page, or one below it, is open. */
export const LinkTab = createLink(Anchor);
