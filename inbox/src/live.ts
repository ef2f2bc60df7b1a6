/** The live connection: one client of the hub, which is replaced when the server ends it. */

import { Centrifuge, type Subscription } from "centrifuge";
import { Backoff } from "./backoff.js";
import type { SessionSource } from "./session.js";
import { InboxError, type Item, type LiveState, type Session } from "./types.js";

/** The user has the largest number of open pages. */
const TOO_MANY_PAGES = 3504;
const TOO_MANY_PAUSE = 60_000;
/** A connection that lasted this long was a good one, in milliseconds. */
const GOOD = 10_000;

export interface LiveHandlers {
  state(state: LiveState): void;
  item(item: Item): void;
  /** Messages may be missed from now on, until settled() or gap(). */
  lost(): void;
  /** The hub could not tell what was missed: the inbox must be read. */
  gap(): void;
  /** Every channel is subscribed. */
  settled(): void;
  failed(error: InboxError): void;
}

export class Live {
  readonly #url: string;
  readonly #sessions: SessionSource;
  readonly #handlers: LiveHandlers;
  readonly #backoff = new Backoff(1000, 30_000);
  #client: Centrifuge | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waiting = new Set<string>();
  // Of the client; undefined: there is none.
  #channels: readonly string[] | undefined;
  #connectedAt = 0;
  #isStopped = true;

  /** base: the gateway's address, http or https. */
  constructor(base: string, sessions: SessionSource, handlers: LiveHandlers) {
    this.#url = `${base.replace(/^http/, "ws")}/connection/websocket`;
    this.#sessions = sessions;
    this.#handlers = handlers;
  }

  /** Whether every channel is subscribed. */
  get isSettled(): boolean {
    return this.#client !== undefined && this.#waiting.size === 0;
  }

  start(): void {
    if (!this.#isStopped) return;
    this.#isStopped = false;
    void this.#open();
  }

  stop(): void {
    this.#isStopped = true;
    this.#close();
  }

  /** Follow these channels from now on. Others than before: tokens were revoked, or a template names a new namespace. */
  follow(channels: readonly string[]): void {
    if (this.#channels && this.#channels.join() !== channels.join()) setTimeout(() => this.#reopen(), 0);
  }

  async #open(): Promise<void> {
    this.#handlers.state("connecting");
    let session: Session;
    try {
      session = await this.#sessions.get();
    } catch (error) {
      if (!this.#isStopped) this.#again(InboxError.of(error), this.#backoff.next());
      return;
    }
    if (!this.#isStopped && !this.#client) this.#connect(session);
  }

  #connect(session: Session): void {
    const client = new Centrifuge(this.#url, {
      token: session.token,
      getToken: async () => (await this.#sessions.renew()).token,
      minReconnectDelay: 500,
      maxReconnectDelay: 20_000,
    });
    this.#client = client;
    this.#channels = session.channels;
    this.#waiting = new Set(session.channels);
    // A client that was replaced may still have something to say.
    const current = (): boolean => this.#client === client;
    client.on("connected", () => {
      if (!current()) return;
      this.#connectedAt = Date.now();
      this.#handlers.state("connected");
    });
    client.on("connecting", () => {
      if (!current()) return;
      this.#waiting = new Set(session.channels);
      this.#handlers.lost();
      this.#handlers.state("connecting");
    });
    client.on("disconnected", ({ code, reason }) => {
      if (current() && code !== 0) this.#ended(code, reason);
    });
    for (const channel of session.channels) this.#follow(client.newSubscription(channel), current);
    client.connect();
  }

  #follow(subscription: Subscription, current: () => boolean): void {
    subscription.on("publication", ({ data }) => {
      const item = current() ? published(data) : undefined;
      if (item) this.#handlers.item(item);
    });
    subscription.on("subscribed", ({ recovered }) => {
      if (!current()) return;
      this.#waiting.delete(subscription.channel);
      if (!recovered) this.#handlers.gap();
      if (this.#waiting.size === 0) this.#handlers.settled();
    });
    subscription.on("unsubscribed", ({ code, reason }) => {
      // Not by ourselves: the session no longer opens this channel.
      if (current() && code !== 0) this.#ended(code, reason);
    });
    subscription.subscribe();
  }

  #reopen(): void {
    if (this.#isStopped) return;
    this.#close();
    this.#handlers.lost();
    void this.#open();
  }

  /** The server ended the connection, and the client will not come back by itself. */
  #ended(code: number, reason: string): void {
    if (Date.now() - this.#connectedAt > GOOD) this.#backoff.reset();
    this.#sessions.forget(); // its token may be revoked
    const pause = this.#backoff.next() + (code === TOO_MANY_PAGES ? TOO_MANY_PAUSE : 0);
    this.#again(new InboxError("connection", reason || "The server ended the connection.", code), pause);
  }

  #again(error: InboxError, pause: number): void {
    this.#close();
    this.#handlers.lost();
    this.#handlers.state("offline");
    this.#handlers.failed(error);
    this.#timer = setTimeout(() => void this.#open(), pause);
  }

  #close(): void {
    clearTimeout(this.#timer);
    const client = this.#client;
    this.#client = undefined;
    this.#channels = undefined;
    client?.disconnect();
  }
}

/** Return what a publication says, undefined if it is not a notification. */
export function published(data: unknown): Item | undefined {
  const told = data as Record<string, unknown> | null;
  const id = told?.["referenceId"];
  if (typeof id !== "string" || id === "") return undefined;
  const seconds = Number(told?.["timestamp"]);
  // The time has whole seconds: the end of the second sorts it above what the inbox told of the same second.
  const at = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 + 999 : Date.now();
  const text = (name: string): string => {
    const value = told?.[name];
    return typeof value === "string" ? value : "";
  };
  return {
    id,
    eventType: text("eventType"),
    title: text("title"),
    body: text("body"),
    read: false,
    createdAt: new Date(at).toISOString(),
  };
}
