import type { ReactNode } from "react";
import { Page } from "~/kit/Page";
import styles from "./Entrance.module.css";

/** The page for people who are not signed in: nothing of the frame, one form. */
export function Entrance({
  title,
  text,
  children,
}: {
  title: string;
  text?: ReactNode;
  children: ReactNode;
}) {
  return (
    <main id="main" className={styles.entrance}>
      <div className={styles.brand}>
        <img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" />
        Clarion
      </div>
      <Page title={title} text={text}>
        {children}
      </Page>
    </main>
  );
}

/** Says that there is another way. */
export function Or({ children }: { children: ReactNode }) {
  return <p className={styles.or}>{children}</p>;
}
