import type { consoleRouter } from "~/router";

// The parts that a person is taken to when what had the focus is gone, nearest first.
const PARTS = "[role=dialog], [role=toolbar], [role=tabpanel], section[aria-labelledby], section[aria-label]";

const FIELDS = "input, textarea, [contenteditable=true]";

/**
 * Keep the focus on the page. The browser drops it when the button that has it is removed or disabled, and then people
 * who use the keyboard or a screen reader do not know where they are. They are taken to the nearest part around it that
 * is still there, or to the screen's title.
 */
export function keepFocus(): void {
  let last: Element | null = null;
  let around: readonly Element[] = [];
  let isLooking = false;
  const look = () => {
    isLooking = false;
    if (last === null || document.activeElement !== document.body || !isGone(last)) {
      return;
    }
    const part = around.find((one) => one.isConnected) ?? title();
    if (part !== null) {
      take(part);
    }
  };
  const lookLater = () => {
    if (!isLooking) {
      isLooking = true;
      // The browser drops the focus of a disabled button after it has painted.
      requestAnimationFrame(() => setTimeout(look));
    }
  };
  document.addEventListener("focusin", ({ target }) => {
    if (target instanceof Element) {
      last = target;
      around = partsAround(target);
    }
  });
  // Somebody who clicks beside everything wants it nowhere.
  document.addEventListener("pointerdown", () => {
    setTimeout(() => {
      if (document.activeElement === document.body) {
        last = null;
      }
    });
  });
  new MutationObserver(lookLater).observe(document.body, {
    attributeFilter: ["disabled"],
    childList: true,
    subtree: true,
  });
}

/** With each new screen, go to its title: the next Tab leads into it, and screen readers say where one is. */
export function focusNewScreens(router: ReturnType<typeof consoleRouter>): void {
  // Somebody who began to type while the screen was loaded goes on typing.
  let isTyping = false;
  document.addEventListener("focusin", ({ target }) => {
    isTyping = target instanceof Element && target.matches(FIELDS);
  });
  router.subscribe("onBeforeNavigate", ({ pathChanged }) => {
    if (pathChanged) {
      isTyping = false;
    }
  });
  router.subscribe("onRendered", ({ fromLocation, pathChanged }) => {
    // The focus stays with somebody who goes on in the screen, as an editor does that has saved.
    const isInside = document.activeElement?.closest("main, [role=dialog]");
    if (fromLocation !== undefined && pathChanged && !isInside && !isTyping) {
      const found = title();
      if (found !== null) {
        take(found);
      }
    }
  });
}

function isGone(element: Element): boolean {
  return !element.isConnected || element.matches(":disabled");
}

function partsAround(element: Element): readonly Element[] {
  const parts: Element[] = [];
  let part = element.parentElement?.closest(PARTS);
  while (part) {
    parts.push(part);
    part = part.parentElement?.closest(PARTS);
  }
  return parts;
}

function title(): HTMLElement | null {
  return document.querySelector("main h1");
}

function take(element: Element): void {
  if (element instanceof HTMLElement) {
    if (!element.hasAttribute("tabindex")) {
      element.tabIndex = -1;
    }
    element.focus({ preventScroll: true });
  }
}
