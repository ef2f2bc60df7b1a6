/** The looks. Every color, size and font is a custom property that a page may set on the element. */

const CSS = `
:host {
  --_ink: var(--clarion-ink, light-dark(#1a1d21, #eceef1));
  --_soft: var(--clarion-soft, light-dark(#545b64, #a9b0b9));
  --_surface: var(--clarion-surface, light-dark(#ffffff, #1b1f24));
  --_unread: var(--clarion-unread-surface, light-dark(#f1f5fb, #232a34));
  --_line: var(--clarion-line, light-dark(#d9dde3, #363c45));
  --_accent: var(--clarion-accent, light-dark(#1f5fbf, #8ab8ff));
  --_badge: var(--clarion-badge, #c0271d);
  --_badge-ink: var(--clarion-badge-ink, #ffffff);
  --_bad: var(--clarion-bad, light-dark(#a4161a, #ff9a9a));
  --_radius: var(--clarion-radius, 10px);
  --_shadow: var(--clarion-shadow, 0 8px 30px rgb(0 0 0 / 0.22));
  display: inline-block;
  font: var(--clarion-font, 15px/1.45 system-ui, sans-serif);
  color: var(--_ink);
  text-align: start;
}
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
:host([theme="auto"]) { color-scheme: light dark; }
:host([hidden]), [hidden] { display: none !important; }
*, *::before, *::after { box-sizing: border-box; }
button { font: inherit; color: inherit; cursor: pointer; }
button:disabled { cursor: default; opacity: 0.6; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
.bell {
  position: relative;
  display: inline-grid;
  place-items: center;
  width: var(--clarion-bell-size, 44px);
  height: var(--clarion-bell-size, 44px);
  padding: 0;
  border: 0;
  border-radius: var(--_radius);
  background: transparent;
  color: var(--clarion-bell-ink, inherit);
}
.bell:hover { background: color-mix(in srgb, currentColor 10%, transparent); }
.bell svg { width: 55%; height: 55%; fill: currentColor; }
.badge {
  position: absolute;
  inset-block-start: 2px;
  inset-inline-end: 0;
  min-width: 20px;
  padding: 0 5px;
  border-radius: 10px;
  background: var(--_badge);
  color: var(--_badge-ink);
  font-size: 12px;
  font-weight: 700;
  line-height: 20px;
  text-align: center;
}
:host([data-state="offline"]) .bell svg { opacity: 0.55; }
.panel {
  position: fixed;
  inset: auto;
  z-index: var(--clarion-layer, 1000);
  display: none;
  flex-direction: column;
  width: min(var(--clarion-width, 400px), calc(100% - 16px));
  max-height: min(var(--clarion-height, 560px), calc(100dvh - 16px));
  margin: 0;
  padding: 0;
  border: 1px solid var(--_line);
  border-radius: var(--_radius);
  background: var(--_surface);
  color: var(--_ink);
  box-shadow: var(--_shadow);
  overflow: hidden;
}
.panel.open { display: flex; animation: appear 0.12s ease-out; }
.panel:focus { outline: none; }
@keyframes appear { from { opacity: 0; transform: translateY(-4px); } }
.header {
  display: flex;
  flex-wrap: wrap;
  gap: 2px 10px;
  align-items: center;
  padding: 10px 8px 10px 16px;
  padding-inline: 16px 8px;
  border-block-end: 1px solid var(--_line);
}
h2 { margin: 0; font-size: 1.07em; font-weight: 650; }
.count { color: var(--_soft); font-size: 0.87em; }
.actions { display: flex; align-items: center; margin-inline-start: auto; }
.link {
  min-height: 32px;
  padding: 2px 8px;
  border: 0;
  border-radius: 6px;
  background: transparent;
  color: var(--_accent);
  font-size: 0.87em;
  font-weight: 550;
}
.link:hover { background: color-mix(in srgb, var(--_accent) 10%, transparent); }
.close { display: inline-grid; place-items: center; width: 32px; height: 32px; padding: 0; color: var(--_soft); }
.close svg { width: 16px; height: 16px; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; }
.notice { margin: 0; padding: 8px 16px; border-block-end: 1px solid var(--_line); color: var(--_soft); font-size: 0.87em; }
.notice.bad { color: var(--_bad); }
.scroll { flex: 1 1 auto; min-height: 0; overflow-y: auto; overscroll-behavior: contain; }
.list { margin: 0; padding: 0; list-style: none; }
.item {
  display: grid;
  grid-template-columns: 8px minmax(0, 1fr) auto;
  gap: 2px 10px;
  padding: 12px 8px 12px 14px;
  padding-inline: 14px 8px;
  border-block-end: 1px solid var(--_line);
}
.item.unread { background: var(--_unread); }
.item:focus-visible { outline-offset: -2px; }
.dot { width: 8px; height: 8px; margin-block-start: 0.45em; border-radius: 50%; background: transparent; }
.unread .dot { background: var(--_accent); }
.text { min-width: 0; overflow-wrap: anywhere; }
.title { margin: 0; font-size: 1em; font-weight: 400; }
.unread .title { font-weight: 650; }
.body { margin: 2px 0 0; white-space: pre-line; }
.body a { color: var(--_accent); }
time { display: block; margin-block-start: 4px; color: var(--_soft); font-size: 0.82em; }
.mark { align-self: start; display: inline-grid; place-items: center; width: 32px; height: 32px; padding: 0; color: var(--_soft); }
.mark svg { width: 18px; height: 18px; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
.empty { padding: 40px 24px; color: var(--_soft); text-align: center; }
.empty p { margin: 0; }
.empty .lead { margin-block-end: 4px; color: var(--_ink); font-weight: 600; }
.foot { display: flex; justify-content: center; padding: 8px; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (prefers-reduced-motion: reduce) { .panel.open { animation: none; } }
@media (forced-colors: active) { .badge, .unread .dot { forced-color-adjust: none; } .panel { border-color: CanvasText; } }
@media (max-width: 480px) { .panel { width: calc(100% - 16px); max-height: calc(100dvh - 72px); } }
`;

let sheet: CSSStyleSheet | undefined;

/**
 * Give a shadow root its looks, without a style attribute or inline style, which a strict policy forbids.
 * nonce: of the page's policy, for browsers without constructable style sheets.
 */
export function dress(root: ShadowRoot, nonce: string): void {
  if ("adoptedStyleSheets" in root && "replaceSync" in CSSStyleSheet.prototype) {
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(CSS);
    }
    root.adoptedStyleSheets = [sheet];
    return;
  }
  const style = document.createElement("style");
  if (nonce) style.nonce = nonce;
  style.textContent = CSS;
  root.prepend(style);
}
