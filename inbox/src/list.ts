/** The notifications that are known, each once: pure. */

import type { Item } from "./types.js";

interface Entry {
  item: Item;
  /** Counts up with each arrival, so that two of the same second keep their order. */
  order: number;
}

export class ItemList {
  readonly #entries = new Map<string, Entry>();
  // Those that were known while nothing could be missing between them. A page that has one of them closes a gap.
  readonly #anchors = new Set<string>();
  // Marked here: a page that was read before the server knew must not undo it.
  readonly #readHere = new Set<string>();
  #order = 0;

  get size(): number {
    return this.#entries.size;
  }

  get hasAnchors(): boolean {
    return this.#anchors.size > 0;
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  get(id: string): Item | undefined {
    return this.#entries.get(id)?.item;
  }

  isAnchor(id: string): boolean {
    return this.#anchors.has(id);
  }

  /** Return all, newest first. */
  newestFirst(): Item[] {
    const entries = [...this.#entries.values()];
    entries.sort((a, b) => compare(b.item.createdAt, a.item.createdAt) || b.order - a.order);
    return entries.map((entry) => entry.item);
  }

  /** Add one that arrived live. Return whether it is new. */
  add(item: Item): boolean {
    if (this.#entries.has(item.id)) return false;
    this.#set(item);
    return true;
  }

  /**
   * Take over pages of the inbox. Return those that are new, newest first.
   * isComplete: nothing older than these is wanted, or exists: anchors that are not among them are dropped.
   */
  merge(items: readonly Item[], isComplete: boolean): Item[] {
    const fresh = items.filter((item) => !this.#entries.has(item.id));
    if (isComplete) {
      const kept = new Set(items.map((item) => item.id));
      for (const id of this.#anchors) if (!kept.has(id)) this.#entries.delete(id);
      this.#anchors.clear();
    }
    for (const item of [...items].reverse()) this.#set(item);
    return fresh;
  }

  /** Nothing is missing between those that are known. */
  anchorAll(): void {
    this.anchor(this.#entries.keys());
  }

  /** Nothing is missing between these and the others that are anchors. */
  anchor(ids: Iterable<string>): void {
    for (const id of ids) this.#anchors.add(id);
  }

  /** Mark as read. Return whether it was unread. */
  markRead(id: string): boolean {
    const entry = this.#entries.get(id);
    if (!entry || entry.item.read) return false;
    this.#readHere.add(id);
    entry.item = { ...entry.item, read: true };
    return true;
  }

  /** Undo markRead(), because the server refused it. */
  unmarkRead(id: string): void {
    this.#readHere.delete(id);
    const entry = this.#entries.get(id);
    if (entry) entry.item = { ...entry.item, read: false };
  }

  clear(): void {
    this.#entries.clear();
    this.#anchors.clear();
    this.#readHere.clear();
  }

  #set(item: Item): void {
    if (item.read) this.#readHere.delete(item.id);
    const read = item.read || this.#readHere.has(item.id);
    const order = this.#entries.get(item.id)?.order ?? ++this.#order;
    this.#entries.set(item.id, { item: { ...item, read }, order });
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
