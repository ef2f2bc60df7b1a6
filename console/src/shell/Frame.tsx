import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { Menu as MenuIcon } from "lucide-react";
import { useEffect, useState } from "react";
import { IconButton } from "~/kit/Button";
import { AccountMenu } from "./AccountMenu";
import styles from "./Frame.module.css";
import { Navigation } from "./Navigation";
import { SearchBox } from "./SearchBox";
import { TenantSwitcher } from "./TenantSwitcher";

/** What stands around every screen: the navigation, the tenant in sight, the search. */
export function Frame() {
  const [isOpen, setOpen] = useState(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  // biome-ignore lint/correctness/useExhaustiveDependencies: on a narrow screen the navigation closes with each new screen
  useEffect(() => setOpen(false), [path]);
  useEffect(() => {
    if (!isOpen) {
      return;
    }
    const close = (event: KeyboardEvent) => event.key === "Escape" && setOpen(false);
    document.addEventListener("keydown", close);
    return () => document.removeEventListener("keydown", close);
  }, [isOpen]);
  return (
    <div className={styles.frame}>
      <a className={styles.skip} href="#main">
        Skip to the content
      </a>
      <nav className={styles.side} data-open={isOpen} aria-label="Screens">
        <Link to="/messages" className={styles.brand}>
          <img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" />
          Clarion
        </Link>
        <Navigation className={styles.nav} />
        <div className={styles.who}>
          <AccountMenu />
        </div>
      </nav>
      <div className={styles.column}>
        <header className={styles.bar}>
          <div className={styles.menu}>
            <IconButton label="Navigation" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
              <MenuIcon aria-hidden />
            </IconButton>
          </div>
          <div className={styles.tenant}>
            <TenantSwitcher />
          </div>
          <div className={styles.search}>
            <SearchBox />
          </div>
        </header>
        <main id="main" className={styles.main} tabIndex={-1}>
          <Outlet />
        </main>
      </div>
    </div>
  );
}
