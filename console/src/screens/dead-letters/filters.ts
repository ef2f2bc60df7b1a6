import type { Schemas } from "~/api/client";

export type DeadLetter = Schemas["DeadLetter"];
export type Channel = DeadLetter["channel"];

export const CHANNELS: readonly Channel[] = ["EMAIL", "SMS", "PUSH", "WEBHOOK"];

/** The filters of the list: its URL's query. */
export interface DeadLetterFilters {
  channel?: Channel | undefined;
  reason?: string | undefined;
  provider?: string | undefined;
  event_type?: string | undefined;
  endpoint_id?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
}

/** Return what is set, as the API takes it. */
export function given<T extends object>(filters: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const set = Object.entries(filters).filter(([, value]) => value !== undefined && value !== "");
  return Object.fromEntries(set) as { [K in keyof T]?: NonNullable<T[K]> };
}
