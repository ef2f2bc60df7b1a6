/** The rows of the list. Each stays the same element while its notification is shown, so that focus stays in it. */

import { button, CHECK, make, picture } from "./dom.js";
import { segments } from "./links.js";
import { fill, type Texts } from "./texts.js";
import { exact, relative } from "./time.js";
import type { Item } from "./types.js";

/** Longer texts are shown whole only when asked for. In characters. */
const SHORT = 600;
const LONGEST_TITLE = 300;

interface Row {
  element: HTMLLIElement;
  time: HTMLTimeElement;
  mark: HTMLButtonElement;
  isUnread: HTMLSpanElement;
  at: number;
}

export class Rows {
  readonly list: HTMLUListElement;
  readonly #rows = new Map<string, Row>();
  readonly #mark: (id: string) => void;
  #texts: Texts;
  #locale: string;

  /** mark: called with the id of a notification to mark as read. */
  constructor(texts: Texts, locale: string, mark: (id: string) => void) {
    this.#texts = texts;
    this.#locale = locale;
    this.#mark = mark;
    // Some browsers do not tell of a list without bullets.
    this.list = make("ul", { class: "list", part: "list", attributes: { role: "list" } });
  }

  /** Show these, newest first. */
  show(items: readonly Item[]): void {
    const wanted = new Set(items.map((item) => item.id));
    for (const [id, row] of this.#rows) {
      if (wanted.has(id)) continue;
      row.element.remove();
      this.#rows.delete(id);
    }
    let place = this.list.firstElementChild;
    for (const item of items) {
      const row = this.#row(item);
      update(row, item);
      if (row.element === place) place = place.nextElementSibling;
      else this.list.insertBefore(row.element, place);
    }
    this.tick();
  }

  /** Begin again in another language. */
  translate(texts: Texts, locale: string): void {
    this.#texts = texts;
    this.#locale = locale;
    this.#rows.clear();
    this.list.replaceChildren();
  }

  /** Show how long ago each was. */
  tick(): void {
    const now = Date.now();
    for (const { time, at } of this.#rows.values()) {
      const text = relative(at, now, this.#locale);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  focus(id: string): void {
    this.#rows.get(id)?.element.focus();
  }

  #row(item: Item): Row {
    const known = this.#rows.get(item.id);
    if (known) return known;
    const title = shortened(item.title || item.eventType, LONGEST_TITLE);
    const isUnread = make("span", { class: "unseen", text: this.#texts.isUnread });
    const time = make("time", { part: "time" });
    const mark = button(
      { class: "link mark", part: "mark-read", attributes: { "aria-label": fill(this.#texts.markReadOf, { title }) } },
      () => this.#mark(item.id),
      picture(CHECK),
    );
    mark.title = this.#texts.markRead;
    const element = make(
      "li",
      { attributes: { "data-id": item.id, tabindex: "-1" } },
      make("span", { class: "dot", part: "dot" }),
      make(
        "div",
        { class: "text" },
        make("h3", { class: "title", part: "title", text: title, attributes: { dir: "auto" } }),
        isUnread,
        this.#body(item.body),
        time,
      ),
      mark,
    );
    const row = { element, time, mark, isUnread, at: NaN };
    this.#rows.set(item.id, row);
    const at = Date.parse(item.createdAt);
    row.at = at;
    if (Number.isFinite(at)) {
      time.dateTime = new Date(at).toISOString();
      time.title = exact(at, this.#locale);
    }
    return row;
  }

  #body(text: string): HTMLParagraphElement {
    const body = make("p", { class: "body", part: "body", attributes: { dir: "auto" } });
    body.hidden = text === "";
    if (text.length <= SHORT) {
      body.append(...linked(text));
      return body;
    }
    const more = button({ class: "link", text: this.#texts.showAll }, () => {
      body.replaceChildren(...linked(text));
      (body.closest("li") as HTMLElement | null)?.focus();
    });
    body.append(...linked(shortened(text, SHORT)), " ", more);
    return body;
  }
}

function update(row: Row, item: Item): void {
  const at = Date.parse(item.createdAt);
  if (at !== row.at && Number.isFinite(at)) {
    row.at = at;
    row.time.dateTime = new Date(at).toISOString();
  }
  row.element.className = item.read ? "item" : "item unread";
  row.element.setAttribute("part", item.read ? "item" : "item item-unread");
  row.mark.hidden = item.read;
  row.isUnread.hidden = item.read;
}

/** Return the pieces of a text; only addresses with http or https become links. */
function linked(text: string): Node[] {
  return segments(text).map((segment) =>
    segment.href === undefined
      ? document.createTextNode(segment.text)
      : make("a", {
          part: "link",
          text: segment.text,
          attributes: { href: segment.href, target: "_blank", rel: "noopener noreferrer nofollow" },
        }),
  );
}

function shortened(text: string, longest: number): string {
  const characters = [...text.slice(0, 2 * longest)];
  return characters.length > longest ? `${characters.slice(0, longest).join("")}…` : text;
}
