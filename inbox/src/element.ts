/** The element <clarion-inbox>. */

import { acquire, type Inbox, type Listener } from "./inbox.js";
import { dress } from "./styles.js";
import { english, type Texts } from "./texts.js";
import type { GetToken, InboxError, Item, LiveState, Position } from "./types.js";
import { View } from "./view.js";

const POSITIONS: readonly string[] = ["bottom-end", "bottom-start", "top-end", "top-start"];
/** How often the relative times are renewed while the list is open, in milliseconds. */
const TICK = 20_000;

/** What the events carry in `detail`. */
export interface InboxEvents {
  /** Messages arrived, newest first. */
  "clarion-message": CustomEvent<{ items: readonly Item[] }>;
  /** Marked as read: one, or all that are older than `until`, itself included. */
  "clarion-read": CustomEvent<{ id: string } | { until: string }>;
  "clarion-open": CustomEvent<{ open: boolean }>;
  "clarion-error": CustomEvent<{ error: InboxError }>;
}

// Rendering on a server has no such class; the element is defined in the browser.
const Base: typeof HTMLElement = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

export class ClarionInbox extends Base {
  static readonly observedAttributes = ["api", "tenant", "user", "locale", "position", "open"];

  #getToken: GetToken | undefined;
  #texts: Partial<Texts> = {};
  #view: View | undefined;
  #inbox: Inbox | undefined;
  #release: (() => void) | undefined;
  #isPlanned = false;
  #ticker: ReturnType<typeof setInterval> | undefined;

  readonly #listener: Listener = {
    changed: () => this.#plan(),
    arrived: (items) => {
      // Of several components with the same inbox, one speaks.
      const [first] = this.#inbox?.listeners ?? [];
      if (first === this.#listener) this.#view?.announce(items);
      this.#tell("clarion-message", { items });
    },
    failed: (error) => this.#tell("clarion-error", { error }),
  };

  /** The gateway's address. The page's own origin if the attribute is absent. */
  get api(): string {
    return new URL(this.getAttribute("api") || "/", document.baseURI).href.replace(/\/+$/, "");
  }
  set api(value: string) {
    this.setAttribute("api", value);
  }

  /** The tenant's id. May be absent if getToken names it. */
  get tenant(): string {
    return this.getAttribute("tenant") ?? "";
  }
  set tenant(value: string) {
    this.setAttribute("tenant", value);
  }

  /** The id of the person whose inbox this is. May be absent if getToken names it. */
  get user(): string {
    return this.getAttribute("user") ?? "";
  }
  set user(value: string) {
    this.setAttribute("user", value);
  }

  /** Of times and numbers: the attribute, else the language of the element in the page, else the browser's. */
  get locale(): string {
    const wanted = this.getAttribute("locale") ?? this.closest("[lang]")?.getAttribute("lang") ?? "";
    for (const one of [wanted, navigator.language]) {
      try {
        if (one && Intl.DateTimeFormat.supportedLocalesOf(one).length > 0) return one;
      } catch {
        // Not the name of a language.
      }
    }
    return "en";
  }
  set locale(value: string) {
    this.setAttribute("locale", value);
  }

  get position(): Position {
    const wanted = this.getAttribute("position") ?? "";
    return POSITIONS.includes(wanted) ? (wanted as Position) : "bottom-end";
  }
  set position(value: Position) {
    this.setAttribute("position", value);
  }

  get open(): boolean {
    return this.hasAttribute("open");
  }
  set open(value: boolean) {
    this.toggleAttribute("open", value);
  }

  get getToken(): GetToken | undefined {
    return this.#getToken;
  }
  set getToken(value: GetToken | undefined) {
    if (value === this.#getToken) return;
    this.#getToken = value;
    this.#attach();
  }

  /** Texts that replace the English ones. */
  get texts(): Partial<Texts> {
    return this.#texts;
  }
  set texts(value: Partial<Texts>) {
    this.#texts = value;
    if (this.#view) this.#render();
  }

  /** The number of unread notifications, at most 10,000. */
  get unread(): number {
    return this.#inbox?.unread ?? 0;
  }

  /** The notifications that are loaded, newest first. */
  get items(): readonly Item[] {
    return this.#inbox?.items ?? [];
  }

  get state(): LiveState {
    return this.#inbox?.live ?? "offline";
  }

  /** Read the inbox now. */
  refresh(): void {
    this.#inbox?.refresh();
  }

  async markRead(id: string): Promise<void> {
    await this.#act(() => this.#inbox?.markRead(id), { id });
  }

  async markAllRead(): Promise<void> {
    const [newest] = this.items;
    if (newest) await this.#act(() => this.#inbox?.markAllRead(), { until: newest.id });
  }

  connectedCallback(): void {
    for (const name of ["getToken", "texts", "api", "tenant", "user", "locale", "position", "open"]) this.#upgrade(name);
    if (!this.shadowRoot) {
      dress(this.attachShadow({ mode: "open" }), this.nonce || this.getAttribute("nonce") || "");
    }
    this.#render();
    this.addEventListener("keydown", this.#onKey);
    this.addEventListener("focusout", this.#onFocusOut);
    this.#attach();
  }

  disconnectedCallback(): void {
    this.removeEventListener("keydown", this.#onKey);
    this.removeEventListener("focusout", this.#onFocusOut);
    this.#listen(false);
    this.#detach();
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after || !this.#view) return;
    if (name === "open") this.#opened();
    else if (name === "locale") this.#render();
    else if (name === "position") this.#place();
    else this.#attach();
  }

  /** Take over what a page set before the element was defined. */
  #upgrade(name: string): void {
    if (!Object.hasOwn(this, name)) return;
    const self = this as unknown as Record<string, unknown>;
    const value = self[name];
    delete self[name];
    self[name] = value;
  }

  #attach(): void {
    this.#detach();
    if (!this.isConnected || !this.#view) return;
    if (this.#getToken) {
      const { inbox, release } = acquire(this.api, this.tenant, this.user, this.#listener, this.#getToken);
      this.#inbox = inbox;
      this.#release = release;
    }
    this.#plan();
  }

  #detach(): void {
    this.#release?.();
    this.#release = undefined;
    this.#inbox = undefined;
  }

  #render(): void {
    const root = this.shadowRoot;
    if (!root) return;
    const hadFocus = root.activeElement !== null;
    const view = new View({ ...english, ...this.#texts }, this.locale, {
      toggle: () => (this.open = !this.open),
      close: () => this.#close(),
      markRead: (id) => {
        this.#view?.rows.focus(id); // the button is about to go
        void this.markRead(id);
      },
      markAllRead: () => {
        this.#view?.panel.focus();
        void this.markAllRead();
      },
      older: () => void this.#inbox?.loadOlder(),
      retry: () => this.refresh(),
    });
    for (const old of this.#view?.nodes ?? []) (old as ChildNode).remove();
    root.append(...view.nodes);
    this.#view = view;
    this.#plan();
    if (this.open) this.#opened();
    if (hadFocus) view.bell.focus();
  }

  /** Show what has changed, once for all changes of this moment. */
  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    queueMicrotask(() => {
      this.#isPlanned = false;
      if (this.#inbox) this.#view?.show(this.#inbox);
      else this.#view?.badge(0);
      if (this.dataset["state"] !== this.state) this.dataset["state"] = this.state;
      if (this.open) this.#place();
    });
  }

  async #act(work: () => Promise<void> | undefined, detail: { id: string } | { until: string }): Promise<void> {
    this.#view?.complain(false);
    try {
      await work();
      this.#tell("clarion-read", detail);
    } catch {
      this.#view?.complain(true); // the inbox told of the error
    }
  }

  #opened(): void {
    const view = this.#view;
    if (!view) return;
    view.setOpen(this.open);
    this.#listen(this.open);
    if (this.open) {
      view.complain(false);
      view.rows.tick();
      this.#place();
      view.panel.focus({ preventScroll: true });
    }
    this.#tell("clarion-open", { open: this.open });
  }

  #close(): void {
    this.open = false;
    this.#view?.bell.focus();
  }

  #place(): void {
    this.#view?.place(this.position);
  }

  /** While it is open: follow the bell, keep the times, and close when the person turns to something else. */
  #listen(isOpen: boolean): void {
    clearInterval(this.#ticker);
    window.removeEventListener("resize", this.#onMove);
    window.removeEventListener("scroll", this.#onMove, true);
    document.removeEventListener("pointerdown", this.#onPointer, true);
    if (!isOpen) return;
    this.#ticker = setInterval(() => this.#view?.rows.tick(), TICK);
    window.addEventListener("resize", this.#onMove);
    window.addEventListener("scroll", this.#onMove, { capture: true, passive: true });
    document.addEventListener("pointerdown", this.#onPointer, true);
  }

  readonly #onMove = (): void => this.#place();

  readonly #onPointer = (event: Event): void => {
    if (!event.composedPath().includes(this)) this.open = false;
  };

  readonly #onKey = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || !this.open || event.defaultPrevented) return;
    event.preventDefault();
    event.stopPropagation();
    this.#close();
  };

  readonly #onFocusOut = (event: FocusEvent): void => {
    const to = event.relatedTarget;
    if (this.open && to instanceof Node && !this.contains(to)) this.open = false;
  };

  #tell<K extends keyof InboxEvents>(name: K, detail: InboxEvents[K]["detail"]): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}
