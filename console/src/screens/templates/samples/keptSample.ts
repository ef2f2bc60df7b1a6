import type { Variables } from "../data";

const MOST_BYTES = 100_000;

/** Keep data that an author wrote or began with, in this tab: the page of the saved version goes on with it. */
export function keepSample(tenantId: string | null, eventType: string, variables: Variables): void {
  const text = JSON.stringify(variables);
  try {
    if (text.length <= MOST_BYTES) {
      sessionStorage.setItem(keyOf(tenantId, eventType), text);
    }
  } catch {
    // A browser without storage, or without room: the author writes it again.
  }
}

/** Return the data that this tab keeps; null: there is none. */
export function keptSample(tenantId: string | null, eventType: string): Variables | null {
  try {
    const found: unknown = JSON.parse(sessionStorage.getItem(keyOf(tenantId, eventType)) ?? "null");
    return typeof found === "object" && found !== null && !Array.isArray(found) ? (found as Variables) : null;
  } catch {
    return null;
  }
}

function keyOf(tenantId: string | null, eventType: string): string {
  return `clarion-sample:${JSON.stringify([tenantId, eventType])}`;
}
