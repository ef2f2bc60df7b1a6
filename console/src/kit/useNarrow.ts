import { useSyncExternalStore } from "react";

// The same width as in the styles, where tables become cards.
const NARROW = matchMedia("(max-width: 45rem)");

/** Whether the window is as narrow as a phone's; renders again when that changes. */
export function useNarrow(): boolean {
  return useSyncExternalStore(
    (listener) => {
      NARROW.addEventListener("change", listener);
      return () => NARROW.removeEventListener("change", listener);
    },
    () => NARROW.matches,
  );
}
