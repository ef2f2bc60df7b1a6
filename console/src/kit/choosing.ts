import { useState } from "react";
import { useSettled } from "./useSettled";

// A list is asked for once somebody has stopped typing for so long.
const PAUSE_MS = 250;

/** What is typed into a list to choose from: onSearch is the Chooser's; asked is what the server is asked for. */
export function useChoiceSearch(): { asked: string; onSearch: (text: string) => void } {
  const [typed, onSearch] = useState("");
  return { asked: useSettled(typed.trim(), PAUSE_MS), onSearch };
}

/** Return why a list has no choices. query: asks the server for them. nothing: it has none. */
export function noChoice(query: { isFetching: boolean; error: Error | null }, nothing: string): string {
  if (query.error) {
    return query.error.message;
  }
  return query.isFetching ? "Searching …" : nothing;
}
