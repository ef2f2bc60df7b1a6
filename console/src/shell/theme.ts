import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const KEY = "clarion-theme";
const listeners = new Set<() => void>();

/** Return the chosen look. */
export function currentTheme(): Theme {
  const stored = localStorage.getItem(KEY);
  return stored === "light" || stored === "dark" ? stored : "system";
}

/** Choose a look, and keep the choice in this browser. */
export function setTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  applyTheme();
  for (const listener of listeners) {
    listener();
  }
}

/** Give the page the chosen look. */
export function applyTheme(): void {
  const theme = currentTheme();
  if (theme === "system") {
    delete document.documentElement.dataset.theme;
  } else {
    document.documentElement.dataset.theme = theme;
  }
}

/** The chosen look; renders again when it changes. */
export function useTheme(): Theme {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, currentTheme);
}
