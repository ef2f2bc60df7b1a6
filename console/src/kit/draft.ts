import { useCallback, useEffect, useRef, useState } from "react";

// Drafts that somebody forgot do not fill the browser's storage.
const MOST_BYTES = 1_000_000;
const WAIT_MS = 400;

/** Return what this browser keeps under a key if its content is of the same form as `like`, else null. */
export function readDraft<T extends { content: unknown }>(key: string, like: T["content"]): T | null {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(key) ?? "null");
    const isDraft = typeof stored === "object" && stored !== null && "content" in stored;
    return isDraft && hasForm(stored.content, like) ? (stored as T) : null;
  } catch {
    return null;
  }
}

function hasForm(found: unknown, like: unknown): boolean {
  if (typeof like !== "object" || like === null) {
    return typeof found === typeof like;
  }
  const values = found as Record<string, unknown> | null;
  return (
    typeof values === "object" &&
    values !== null &&
    Object.entries(like).every(([name, value]) => typeof values[name] === typeof value)
  );
}

/** Keep a draft. Return false if the browser has no room for it. */
export function writeDraft(key: string, draft: object): boolean {
  const text = JSON.stringify(draft);
  try {
    if (text.length > MOST_BYTES) {
      return false;
    }
    localStorage.setItem(key, text);
    return true;
  } catch {
    return false;
  }
}

export function dropDraft(key: string): void {
  try {
    localStorage.removeItem(key);
  } catch {
    // A browser without storage has kept nothing.
  }
}

/**
 * Keep what differs from the start in this browser, a moment after each change and when the page is left.
 *
 * @param draft null: nothing differs, so nothing is kept
 * @returns isKept: false if the browser refused; drop: forget it for good, because it was saved
 */
export function useKeptDraft(key: string, draft: object | null): { isKept: boolean; drop: () => void } {
  const [isKept, setKept] = useState(true);
  const latest = useRef({ key, draft });
  const isDropped = useRef(false);
  latest.current = { key, draft };
  const keep = useCallback(() => {
    const { key, draft } = latest.current;
    if (draft === null || isDropped.current) {
      dropDraft(key);
      return true;
    }
    return writeDraft(key, draft);
  }, []);
  const text = JSON.stringify(draft);
  // biome-ignore lint/correctness/useExhaustiveDependencies: `text` is what `draft` holds
  useEffect(() => {
    const timer = setTimeout(() => setKept(keep()), WAIT_MS);
    return () => clearTimeout(timer);
  }, [key, text, keep]);
  useEffect(() => {
    window.addEventListener("pagehide", keep);
    return () => {
      window.removeEventListener("pagehide", keep);
      keep();
    };
  }, [keep]);
  const drop = useCallback(() => {
    isDropped.current = true;
    dropDraft(latest.current.key);
  }, []);
  return { isKept, drop };
}
