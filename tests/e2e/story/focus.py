"""Where the focus of a page is, and whether people see it."""

from dataclasses import dataclass

from playwright.async_api import Page

# Behind the last element of a page the browser's own controls would come: Tab leads nowhere, then to the first one.
NOWHERE = "nowhere"

# A ring around the element, or around what holds it, as an editor has it. A frame's content has a ring of its own.
_LOOK = """() => {
    let element = document.activeElement;
    while (element?.shadowRoot?.activeElement) {
        element = element.shadowRoot.activeElement;
    }
    if (element === null || element === document.body) {
        return "the focus is nowhere";
    }
    const box = element.getBoundingClientRect();
    const left = Math.max(box.left, 0), right = Math.min(box.right, innerWidth);
    const top = Math.max(box.top, 0), bottom = Math.min(box.bottom, innerHeight);
    if (right - left < 1 || bottom - top < 1) {
        return "the focus is outside of what the window shows";
    }
    const at = [0.02, 0.5, 0.98].flatMap((x) => [0.1, 0.5, 0.9].map((y) => [x, y]));
    const isShown = at.some(([x, y]) => {
        const hit = element.getRootNode().elementFromPoint(left + (right - left) * x, top + (bottom - top) * y);
        return hit !== null && (element.contains(hit) || hit.contains(element));
    });
    if (!isShown) {
        return "something lies over the focus";
    }
    const hasRing = (one) => {
        const style = getComputedStyle(one);
        return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    };
    let holder = element;
    for (let steps = 0; holder !== null && steps < 5; steps += 1, holder = holder.parentElement) {
        if (hasRing(holder)) {
            return "";
        }
    }
    return element.localName === "iframe" ? "" : "nothing shows where the focus is";
}"""


@dataclass(frozen=True)
class Stop:
    """An element that has the focus. name: its role and accessible name, such as 'button "Save"'.

    fault: why people do not see it; empty: they do.
    """

    name: str
    fault: str

    def __str__(self) -> str:
        """Name it, and say what is wrong."""
        return f"{self.name} ({self.fault})" if self.fault else self.name


async def focused(page: Page) -> Stop:
    """Return what has the focus now."""
    fault = await page.evaluate(_LOOK)
    holder = page.locator("*:focus")
    if not await holder.count():
        return Stop(NOWHERE, fault)
    lines = (await holder.last.aria_snapshot()).splitlines()
    return Stop(lines[0].removeprefix("- ") if lines else "something without a role", fault)
