/** The bell and the list: what is shown, and what a screen reader is told. */

import { BELL, button, CROSS, make, picture } from "./dom.js";
import type { Inbox } from "./inbox.js";
import { corner } from "./place.js";
import { Rows } from "./rows.js";
import { counted, fill, type Texts } from "./texts.js";
import type { Item, Position } from "./types.js";

export interface Actions {
  toggle(): void;
  close(): void;
  markRead(id: string): void;
  markAllRead(): void;
  older(): void;
  retry(): void;
}

export class View {
  readonly bell: HTMLButtonElement;
  readonly panel: HTMLDivElement;
  readonly rows: Rows;
  readonly #texts: Texts;
  readonly #locale: string;
  readonly #badge = make("span", { class: "badge", part: "badge", attributes: { "aria-hidden": "true" } });
  readonly #count = make("span", { class: "count", part: "count" });
  readonly #all: HTMLButtonElement;
  readonly #notice = make("p", { class: "notice", part: "notice", attributes: { role: "status" } });
  readonly #fault = make("p", { class: "notice bad", part: "error", attributes: { role: "alert" } });
  readonly #retry: HTMLButtonElement;
  readonly #empty: HTMLDivElement;
  readonly #older: HTMLButtonElement;
  readonly #foot: HTMLDivElement;
  readonly #news = make("p", { class: "unseen", attributes: { role: "status", "aria-live": "polite" } });
  readonly #observer: IntersectionObserver | undefined;
  // What the fault is about that is shown; empty: none is.
  #shown: "" | "inbox" | "action" = "";
  #arrived: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(texts: Texts, locale: string, actions: Actions) {
    this.#texts = texts;
    this.#locale = locale;
    this.rows = new Rows(texts, locale, actions.markRead);
    this.bell = button(
      {
        class: "bell",
        part: "bell",
        attributes: { "aria-haspopup": "dialog", "aria-expanded": "false", "aria-label": texts.title },
      },
      actions.toggle,
      picture(BELL),
      this.#badge,
    );
    this.#all = button({ class: "link", part: "mark-all", text: texts.markAllRead }, actions.markAllRead);
    const close = button(
      { class: "link close", part: "close", attributes: { "aria-label": texts.close } },
      actions.close,
      picture(CROSS),
    );
    this.#retry = button({ class: "link", part: "retry", text: texts.retry }, actions.retry);
    this.#empty = make(
      "div",
      { class: "empty", part: "empty" },
      make("p", { class: "lead", text: texts.empty }),
      make("p", { text: texts.emptyHint }),
    );
    this.#older = button({ class: "link", part: "older", text: texts.older }, actions.older);
    this.#foot = make("div", { class: "foot" }, this.#older);
    const scroll = make(
      "div",
      // Reached by the keyboard, also when nothing in it can be.
      { class: "scroll", part: "scroll", attributes: { role: "group", "aria-labelledby": "title", tabindex: "0" } },
      this.#empty,
      this.rows.list,
      this.#foot,
    );
    this.panel = make(
      "div",
      { class: "panel", part: "panel", attributes: { role: "dialog", "aria-labelledby": "title", tabindex: "-1" } },
      make(
        "div",
        { class: "header", part: "header" },
        make("h2", { part: "heading", text: texts.title, attributes: { id: "title" } }),
        this.#count,
        make("div", { class: "actions" }, this.#all, close),
      ),
      this.#notice,
      this.#fault,
      scroll,
    );
    // Above everything else on the page, where the browser can.
    if ("popover" in this.panel) this.panel.popover = "manual";
    if ("IntersectionObserver" in globalThis) {
      const reached = (entries: readonly IntersectionObserverEntry[]): void => {
        if (entries.some((entry) => entry.isIntersecting) && !this.#foot.dataset["failed"]) actions.older();
      };
      this.#observer = new IntersectionObserver(reached, { root: scroll, rootMargin: "200px" });
      this.#observer.observe(this.#foot);
    }
    this.#fault.hidden = true;
    this.#foot.hidden = true;
    this.badge(0);
  }

  get nodes(): readonly Node[] {
    return [this.bell, this.panel, this.#news];
  }

  /** Show what the inbox knows now. */
  show(inbox: Inbox): void {
    this.badge(inbox.unread);
    const { items } = inbox;
    this.rows.show(items);
    this.#count.textContent = inbox.unread ? counted(this.#texts.unreadShort, inbox.unread, this.#locale) : "";
    this.#all.hidden = inbox.unread === 0;
    this.#empty.hidden = !inbox.isLoaded || items.length > 0 || inbox.error !== undefined;
    this.panel.setAttribute("aria-busy", String(!inbox.isLoaded && !inbox.error));
    this.#say(inbox);
    this.#foot.hidden = !inbox.hasOlder;
    if (inbox.olderError) this.#foot.dataset["failed"] = "true";
    else delete this.#foot.dataset["failed"];
    this.#older.disabled = inbox.isLoadingOlder;
    this.#older.textContent = inbox.isLoadingOlder
      ? this.#texts.loading
      : inbox.olderError
        ? this.#texts.retry
        : this.#texts.older;
    // A page that leaves room below it is followed by the next one at once.
    if (inbox.hasOlder && !inbox.isLoadingOlder && this.#observer) {
      this.#observer.unobserve(this.#foot);
      this.#observer.observe(this.#foot);
    }
  }

  /** Say that what the person did last had no effect, or no longer say so. */
  complain(isFault: boolean): void {
    if (isFault) this.#setFault("action");
    else if (this.#shown === "action") this.#setFault("");
  }

  badge(unread: number): void {
    this.#badge.hidden = unread === 0;
    this.#badge.textContent = unread > 99 ? "99+" : new Intl.NumberFormat(this.#locale).format(unread);
    const label = unread ? counted(this.#texts.unread, unread, this.#locale) : this.#texts.title;
    this.bell.setAttribute("aria-label", label);
  }

  /** Have a screen reader say that messages arrived: those of half a second in one sentence. */
  announce(items: readonly Item[]): void {
    this.#arrived.push(...items.map((item) => item.title || item.eventType));
    this.#timer ??= setTimeout(() => {
      const [title = ""] = this.#arrived;
      const count = this.#arrived.length;
      this.#arrived = [];
      this.#timer = undefined;
      this.#news.textContent =
        count === 1
          ? fill(this.#texts.arrived, { title: title.slice(0, 300) })
          : counted(this.#texts.arrivedMany, count, this.#locale);
    }, 500);
  }

  setOpen(isOpen: boolean): void {
    this.bell.setAttribute("aria-expanded", String(isOpen));
    this.panel.classList.toggle("open", isOpen);
    if (!this.panel.popover || !this.panel.isConnected) return;
    if (isOpen) this.panel.showPopover();
    else this.panel.hidePopover();
  }

  place(position: Position): void {
    const size = { width: this.panel.offsetWidth, height: this.panel.offsetHeight };
    const room = { width: document.documentElement.clientWidth, height: window.innerHeight };
    const isRightToLeft = getComputedStyle(this.bell).direction === "rtl";
    const { left, top } = corner(this.bell.getBoundingClientRect(), size, room, position, isRightToLeft);
    this.panel.style.left = `${left}px`;
    this.panel.style.top = `${top}px`;
  }

  #setFault(kind: "" | "inbox" | "action"): void {
    if (kind === this.#shown) return;
    this.#shown = kind;
    this.#fault.hidden = kind === "";
    if (kind === "inbox") this.#fault.replaceChildren(`${this.#texts.failed} `, this.#retry);
    else this.#fault.replaceChildren(kind === "action" ? this.#texts.markFailed : "");
  }

  /** Say why there may be nothing, or nothing new. */
  #say(inbox: Inbox): void {
    const isFault = inbox.error !== undefined;
    if (isFault) this.#setFault("inbox");
    else if (this.#shown === "inbox") this.#setFault("");
    let notice = "";
    if (inbox.isLoaded && inbox.live === "offline" && !navigator.onLine) notice = this.#texts.offline;
    else if (inbox.isLoaded && inbox.live !== "connected") notice = this.#texts.connecting;
    else if (!inbox.isLoaded && !isFault) notice = this.#texts.loading;
    if (this.#notice.textContent !== notice) this.#notice.textContent = notice;
    this.#notice.hidden = notice === "";
  }
}
