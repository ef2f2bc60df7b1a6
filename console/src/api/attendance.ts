// A page that nobody has touched for so long reads on by itself.
const UNATTENDED_AFTER_MS = 60_000;
// Speech control and screen readers may cause a click or an input alone.
const TOUCHES = [
  "pointerdown",
  "pointermove",
  "keydown",
  "wheel",
  "touchstart",
  "focus",
  "click",
  "input",
] as const;

// Somebody has just opened it.
let touchedAt = Date.now();

for (const touch of TOUCHES) {
  window.addEventListener(touch, () => (touchedAt = Date.now()), { capture: true, passive: true });
}

/** Whether nobody has touched the page for a while. What it asks then does not keep the session from ending. */
export function isUnattended(): boolean {
  return Date.now() - touchedAt > UNATTENDED_AFTER_MS;
}
