import { SlidersHorizontal } from "lucide-react";
import { type ReactNode, useEffect, useId, useState } from "react";
import { Button } from "./Button";
import styles from "./Page.module.css";
import { useNarrow } from "./useNarrow";

interface PageProps {
  /** The only h1, and the title of the browser's tab. */
  title: string;
  /** Shown in place of the title where it needs more than text. */
  heading?: ReactNode;
  text?: ReactNode;
  /** Buttons for the whole page. */
  actions?: ReactNode;
  children?: ReactNode;
}

/** A screen: its title, what can be done with the whole, and its parts. */
export function Page({ title, heading, text, actions, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} – Clarion`;
  }, [title]);
  return (
    <div className={styles.page}>
      <div className={styles.head}>
        <div className={styles.title}>
          <h1>{heading ?? title}</h1>
          {text ? <p className={styles.text}>{text}</p> : null}
        </div>
        {actions ? <div className={styles.actions}>{actions}</div> : null}
      </div>
      {children}
    </div>
  );
}

/** A part of a page with a heading: a landmark for screen readers. */
export function Card({
  title,
  actions,
  children,
}: {
  title: string;
  actions?: ReactNode;
  children: ReactNode;
}) {
  const id = useId();
  return (
    <section className={styles.card} aria-labelledby={id}>
      <div className={styles.cardHead}>
        <h2 id={id}>{title}</h2>
        {actions ? <div className={styles.actions}>{actions}</div> : null}
      </div>
      {children}
    </section>
  );
}

interface FiltersProps {
  /** How many of them are set; it stands on the button that shows them on a narrow window. */
  active?: number;
  children: ReactNode;
}

/** The filters of a list, in a row that wraps; on a narrow window behind a button. */
export function Filters({ active = 0, children }: FiltersProps) {
  const isNarrow = useNarrow();
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  return (
    <search className={styles.search} aria-label="Filters">
      {isNarrow ? (
        <Button aria-expanded={isOpen} aria-controls={id} onClick={() => setOpen(!isOpen)}>
          <SlidersHorizontal aria-hidden />
          {active > 0 ? `Filters (${active})` : "Filters"}
        </Button>
      ) : null}
      <div id={id} className={styles.filters} hidden={isNarrow && !isOpen}>
        {children}
      </div>
    </search>
  );
}

/** Return how many of some filters are set. */
export function countSet(...filters: readonly unknown[]): number {
  return filters.filter((one) => one !== undefined && one !== "").length;
}

/** Names and values. A value that is absent is left out. */
export function Facts({ facts }: { facts: readonly (readonly [name: string, value: ReactNode])[] }) {
  return (
    <dl className={styles.facts}>
      {facts
        .filter(([, value]) => value !== null && value !== undefined && value !== "")
        .map(([name, value]) => (
          <Fact key={name} name={name} value={value} />
        ))}
    </dl>
  );
}

function Fact({ name, value }: { name: string; value: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}

/** Stands where a list is empty: says why, and what to do next. */
export function EmptyState({ title, text, action }: { title: string; text: ReactNode; action?: ReactNode }) {
  return (
    <div className={styles.empty}>
      <h2>{title}</h2>
      <p className={styles.emptyText}>{text}</p>
      {action}
    </div>
  );
}
