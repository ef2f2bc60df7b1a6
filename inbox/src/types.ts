/** What the component shows, and what a page gives it. */

/** One notification. Title and body are plain text with any characters. */
export interface Item {
  id: string;
  /** Such as "order.confirmed". */
  eventType: string;
  title: string;
  body: string;
  read: boolean;
  /** ISO 8601, UTC. */
  createdAt: string;
}

/** The answer of `getToken`: what the call for a realtime token answered, and whose inbox it opens. */
export interface Session {
  token: string;
  channels: readonly string[];
  /** The id of the tenant. Needed unless the element has the attribute `tenant`. */
  tenant?: string;
  /** The id of the person whose inbox it is. Needed unless the element has the attribute `user`. */
  user?: string;
}

/** Returns a new session. Called at the start, before a token expires, and after one was refused. */
export type GetToken = () => Promise<Session> | Session;

/** `connected`: messages arrive live. `connecting`: being tried. `offline`: no connection; the next try is planned. */
export type LiveState = "connecting" | "connected" | "offline";

export type Position = "bottom-end" | "bottom-start" | "top-end" | "top-start";

/** Why something failed. */
export class InboxError extends Error {
  /** `token`: getToken failed. `inbox`: the inbox API. `connection`: the server ended the live connection. */
  readonly kind: "token" | "inbox" | "connection";
  /** The HTTP status of the inbox API, the code of the live connection, or 0. */
  readonly status: number;
  /** In milliseconds, as the server asked; 0: it did not. */
  readonly retryAfter: number;

  /** Return what was thrown as an InboxError. */
  static of(thrown: unknown): InboxError {
    if (thrown instanceof InboxError) return thrown;
    return new InboxError("inbox", thrown instanceof Error ? thrown.message : String(thrown));
  }

  constructor(kind: InboxError["kind"], message: string, status = 0, retryAfter = 0) {
    super(message);
    this.name = "InboxError";
    this.kind = kind;
    this.status = status;
    this.retryAfter = retryAfter;
  }
}
