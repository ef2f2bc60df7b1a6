/** Defines <clarion-inbox>. */

import { ClarionInbox, type InboxEvents } from "./element.js";

export { ClarionInbox, type InboxEvents };
export { english, type Plural, type Texts } from "./texts.js";
export { type GetToken, InboxError, type Item, type LiveState, type Position, type Session } from "./types.js";

if ("customElements" in globalThis && !customElements.get("clarion-inbox")) {
  customElements.define("clarion-inbox", ClarionInbox);
}

declare global {
  interface HTMLElementTagNameMap {
    "clarion-inbox": ClarionInbox;
  }
  // Events bubble, so that a page may listen on any element around the component.
  interface HTMLElementEventMap extends InboxEvents {}
}
