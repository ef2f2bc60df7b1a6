/** The states of an event's run, as the API names them. */
export const STATES = ["waiting", "expanding", "paused", "running", "done", "canceled", "failed"] as const;
export type State = (typeof STATES)[number];
