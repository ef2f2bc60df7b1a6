"""Where the focus of a page is, and whether people see it."""

from dataclasses import dataclass

from playwright.async_api import Page

# Behind the last element of a page the browser's own controls would come: Tab leads nowhere, then to the first one.
NOWHERE = "nowhere"

# The name is for messages only. A ring around the element shows the focus, or one around what holds it, as editors have
# it. The content of a frame has its own.
_LOOK = """() => {
    let element = document.activeElement;
    while (element?.shadowRoot?.activeElement) {
        element = element.shadowRoot.activeElement;
    }
    if (element === null || element === document.body) {
        return ["nowhere", "nothing has the focus"];
    }
    const label = element.ariaLabel || element.labels?.[0]?.textContent || element.textContent || element.title;
    const name = `${element.role || element.localName} "${label.trim().slice(0, 40)}"`;
    const box = element.getBoundingClientRect();
    const left = Math.max(box.left, 0), right = Math.min(box.right, innerWidth);
    const top = Math.max(box.top, 0), bottom = Math.min(box.bottom, innerHeight);
    if (right - left < 1 || bottom - top < 1) {
        return [name, "outside of what the window shows"];
    }
    const isShown = [0.02, 0.5, 0.98].flatMap((x) => [0.1, 0.5, 0.9].map((y) => [x, y])).some(([x, y]) => {
        const hit = element.getRootNode().elementFromPoint(left + (right - left) * x, top + (bottom - top) * y);
        return hit !== null && (element.contains(hit) || hit.contains(element));
    });
    if (!isShown) {
        return [name, "something lies over it"];
    }
    let holder = element.localName === "iframe" ? null : element;
    for (let steps = 0; holder !== null; steps += 1, holder = holder.parentElement) {
        const style = getComputedStyle(holder);
        if (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) {
            break;
        }
        if (steps === 4) {
            return [name, "nothing shows that it has the focus"];
        }
    }
    return [name, ""];
}"""


@dataclass(frozen=True)
class Stop:
    """An element that has the focus. name: for messages, NOWHERE if there is none.

    fault: why people do not see it; empty: they do.
    """

    name: str
    fault: str

    def __str__(self) -> str:
        """Name it, and say what is wrong."""
        return f"{self.name} ({self.fault})" if self.fault else self.name


async def focused(page: Page) -> Stop:
    """Return what has the focus now."""
    name, fault = await page.evaluate(_LOOK)
    return Stop(name, fault)
