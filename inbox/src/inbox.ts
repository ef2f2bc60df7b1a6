/** One person's inbox on this page: shared by all components that show it. */

import { InboxApi } from "./api.js";
import { Backoff } from "./backoff.js";
import { ItemList } from "./list.js";
import { Live } from "./live.js";
import { SessionSource } from "./session.js";
import { type GetToken, InboxError, type Item, type LiveState } from "./types.js";

const PAGE = 20;
/** To close a gap, pages are larger, and not more than this many are read. */
const GAP_PAGE = 100;
const GAP_PAGES = 5;
/** While messages do not arrive live, or not for sure, the inbox is read this often, in milliseconds. */
const POLL = 60_000;
/** A page that is looked at again after this long reads the inbox: another tab may have marked messages as read. */
const REST = 30_000;
/** A list that grew longer than this by what arrived begins again with the newest. */
const LONGEST = 2000;

export interface Listener {
  /** Something that is shown has changed. */
  changed(): void;
  /** Messages arrived, newest first. Not those of the first reading. */
  arrived(items: Item[]): void;
  failed(error: InboxError): void;
}

export class Inbox {
  readonly sessions = new SessionSource();
  readonly listeners = new Set<Listener>();
  live: LiveState = "connecting";
  unread = 0;
  /** The first page was read. */
  isLoaded = false;
  isLoadingOlder = false;
  /** Why the newest could not be read, or the older ones; undefined: they could. */
  error: InboxError | undefined;
  olderError: InboxError | undefined;

  readonly #list = new ItemList();
  readonly #api: InboxApi;
  readonly #live: Live;
  readonly #backoff = new Backoff(1000, 60_000);
  // The cursor of the page after the oldest that is known; null: there is none.
  #older: string | null = null;
  #sorted: Item[] | undefined;
  #isReading = false;
  #isStale = false;
  // Counts what happened to the list besides reading: a page that was read meanwhile may not know of it.
  #changes = 0;
  // Counts how often messages were missed that the hub cannot bring; and how many of these gaps a reading has closed.
  #gaps = 0;
  #closedGaps = 0;
  // Nothing is missing between those that are known, and what arrives continues them.
  #isInSync = false;
  #readAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(base: string, tenant: string, user: string) {
    this.#api = new InboxApi(base, this.sessions, tenant, user);
    this.#live = new Live(base, this.sessions, {
      state: (state) => this.#setLive(state),
      item: (item) => this.#arrive(item),
      lost: () => {
        this.#isInSync = false;
      },
      gap: () => {
        this.#isInSync = false;
        this.#gaps++;
        this.refresh();
      },
      settled: () => this.#sync(),
      failed: (error) => this.#fail(error),
    });
    this.sessions.renewed = (session) => this.#live.follow(session.channels);
    this.sessions.replaced = () => {
      this.#beginAgain();
      this.#live.stop();
      this.#live.start();
    };
  }

  get items(): readonly Item[] {
    this.#sorted ??= this.#list.newestFirst();
    return this.#sorted;
  }

  get hasOlder(): boolean {
    return this.#older !== null;
  }

  start(): void {
    document.addEventListener("visibilitychange", this.#seen);
    this.#live.start();
    this.refresh();
  }

  stop(): void {
    document.removeEventListener("visibilitychange", this.#seen);
    this.#live.stop();
    this.#unplan();
  }

  /** Read the newest, and again if anything happens meanwhile. */
  refresh(): void {
    this.#isStale = true;
    if (!this.#isReading) void this.#readAll();
  }

  /** Read the page after the oldest that is known. */
  async loadOlder(): Promise<void> {
    const cursor = this.#older;
    if (cursor === null || this.isLoadingOlder) return;
    this.isLoadingOlder = true;
    this.olderError = undefined;
    this.#changed();
    try {
      const page = await this.#api.read(cursor, PAGE);
      // A gap that could not be closed replaced the list meanwhile: this page belongs to the list before.
      if (this.#older === cursor) {
        this.#list.merge(page.items, false);
        this.#list.anchor(page.items.map((item) => item.id));
        this.#older = page.next;
      }
    } catch (error) {
      this.olderError = InboxError.of(error);
      this.#fail(this.olderError);
    } finally {
      this.isLoadingOlder = false;
      this.#changed();
    }
  }

  /** Mark one as read, at once; undone if the server refuses. Raises InboxError. */
  async markRead(id: string): Promise<void> {
    if (!this.#list.markRead(id)) return;
    this.unread = Math.max(0, this.unread - 1);
    this.#happened();
    try {
      await this.#api.markRead(id);
    } catch (error) {
      this.#list.unmarkRead(id);
      this.unread++;
      this.#happened();
      const reason = InboxError.of(error);
      if (reason.status === 404) this.refresh(); // it was erased
      this.#fail(reason);
      throw reason;
    }
  }

  /** Mark all up to the newest that is shown, also those that are not loaded. Raises InboxError. */
  async markAllRead(): Promise<void> {
    const [newest] = this.items;
    if (!newest) return;
    const marked = this.items.filter((item) => !item.read).map((item) => item.id);
    for (const id of marked) this.#list.markRead(id);
    const before = this.unread;
    this.unread = 0;
    this.#happened();
    try {
      await this.#api.markAllRead(newest.id);
      this.refresh(); // the number that is left, if more arrived
    } catch (error) {
      for (const id of marked) this.#list.unmarkRead(id);
      this.unread += before;
      this.#happened();
      const reason = InboxError.of(error);
      if (reason.status === 404) this.refresh();
      this.#fail(reason);
      throw reason;
    }
  }

  async #readAll(): Promise<void> {
    this.#isReading = true;
    this.#unplan();
    while (this.#isStale) {
      this.#isStale = false;
      const changes = this.#changes;
      try {
        await this.#read();
        this.#backoff.reset();
        if (this.#changes !== changes) {
          await new Promise((done) => setTimeout(done, 300 + 700 * Math.random()));
          this.#isStale = true;
        }
      } catch (error) {
        this.error = InboxError.of(error);
        this.#fail(this.error);
        break;
      }
    }
    this.#isReading = false;
    this.#changed();
    this.#plan();
  }

  /** Read pages until one has something that was known before messages may have been missed. */
  async #read(): Promise<void> {
    const gaps = this.#gaps;
    const isFirst = !this.#list.hasAnchors;
    const found: Item[] = [];
    let page = await this.#api.read(null, PAGE);
    const unread = page.unread;
    let closed = false;
    for (let number = 1; ; number++) {
      found.push(...page.items);
      closed = page.items.some((item) => this.#list.isAnchor(item.id));
      if (closed || isFirst || page.next === null || number === GAP_PAGES) break;
      page = await this.#api.read(page.next, GAP_PAGE);
    }
    const fresh = this.#list.merge(found, !closed);
    if (!closed) this.#older = page.next;
    this.unread = unread;
    this.error = undefined;
    this.#readAt = Date.now();
    this.#closedGaps = gaps;
    const wasLoaded = this.isLoaded;
    this.isLoaded = true;
    this.#sync();
    this.#changed();
    if (wasLoaded && fresh.length > 0) for (const listener of this.listeners) listener.arrived(fresh);
  }

  /** Note that nothing is missing, if so: every channel is subscribed, and every gap was closed. */
  #sync(): void {
    if (!this.isLoaded || this.#closedGaps !== this.#gaps || !this.#live.isSettled) return;
    this.#isInSync = true;
    this.#list.anchorAll();
    if (!this.error) this.#unplan(); // all that comes arrives live
  }

  #arrive(item: Item): void {
    const [newest] = this.items;
    if (!this.#list.add(item)) return;
    this.unread++;
    if (this.#isInSync) this.#list.anchor([item.id]);
    this.#happened();
    // One that was delayed sorts below others: it may be counted already.
    if (newest && item.createdAt < newest.createdAt) this.refresh();
    if (this.#list.size > LONGEST) this.#beginAgain();
    for (const listener of this.listeners) listener.arrived([item]);
  }

  /** Forget what is known, and read the newest. */
  #beginAgain(): void {
    this.#list.clear();
    this.#older = null;
    this.isLoaded = false;
    this.#isInSync = false;
    this.#changes++;
    this.refresh();
  }

  readonly #seen = (): void => {
    if (document.visibilityState === "visible" && Date.now() - this.#readAt > REST) this.refresh();
  };

  #setLive(state: LiveState): void {
    if (state === this.live) return;
    this.live = state;
    this.#changed();
    if (state === "connected" && this.error) this.refresh();
    else if (this.#timer === undefined) this.#plan();
  }

  /** Plan the next reading: after an error, and while messages do not arrive live for sure. */
  #plan(): void {
    this.#unplan();
    if (this.#isReading) return;
    const polls = this.#isInSync ? 0 : POLL * (0.75 + 0.5 * Math.random());
    const pause = this.error ? Math.max(this.#backoff.next(), this.error.retryAfter) : polls;
    if (pause) this.#timer = setTimeout(() => this.refresh(), pause);
  }

  #unplan(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #happened(): void {
    this.#changes++;
    this.#changed();
  }

  #changed(): void {
    this.#sorted = undefined;
    for (const listener of this.listeners) listener.changed();
  }

  #fail(error: InboxError): void {
    for (const listener of this.listeners) listener.failed(error);
  }
}

const shared = new Map<string, Inbox>();
// Sessions name the user where the element does not: then each callback has its own inbox.
const callbacks = new WeakMap<GetToken, number>();
let callbackCount = 0;

function numberOf(getToken: GetToken): number {
  const known = callbacks.get(getToken) ?? ++callbackCount;
  callbacks.set(getToken, known);
  return known;
}

/** Return the inbox of these on this page, started. The listener is told of changes until release(). */
export function acquire(
  base: string,
  tenant: string,
  user: string,
  listener: Listener,
  getToken: GetToken,
): { inbox: Inbox; release: () => void } {
  const key = JSON.stringify([base, tenant, user, tenant && user ? 0 : numberOf(getToken)]);
  const known = shared.get(key);
  const inbox = known ?? new Inbox(base, tenant, user);
  shared.set(key, inbox);
  inbox.listeners.add(listener);
  inbox.sessions.add(listener, getToken);
  if (!known) inbox.start();
  const release = (): void => {
    inbox.listeners.delete(listener);
    inbox.sessions.delete(listener);
    // An element that is only moved in the page comes back at once.
    setTimeout(() => {
      if (inbox.listeners.size > 0 || shared.get(key) !== inbox) return;
      shared.delete(key);
      inbox.stop();
    }, 0);
  };
  return { inbox, release };
}
