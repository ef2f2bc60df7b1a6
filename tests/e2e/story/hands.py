"""Two ways to use a page: with the mouse, and with the keyboard alone. Both find things by role and name."""

import re
from typing import Protocol

from playwright.async_api import Locator, Page, expect

from tests.e2e.story.focus import NOWHERE, Stop, focused
from tests.waiting import eventually

# More than lies on the way from one thing to the next one.
MOST_TABS = 40
MOST_ARROWS = 40
_TEXTS = ("textbox", "searchbox", "combobox", "spinbutton")

# Whether an element stands before the one that has the focus.
_IS_BEFORE = "(one) => (document.activeElement.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_PRECEDING) > 0"

Name = str | re.Pattern[str]


class Hand(Protocol):
    """Somebody's hand on a page. within: a part of the page, where a name is not unique on the whole of it."""

    def on(self, page: Page) -> "Hand":
        """Return a hand of the same kind on another page."""

    async def press(self, role: str, name: Name, within: Locator | None = None) -> None:
        """Press a button, or follow a link."""

    async def fill(self, name: Name, text: str, within: Locator | None = None) -> None:
        """Replace what a field holds."""

    async def choose(self, name: Name, option: str, within: Locator | None = None) -> None:
        """Choose an option of a select by what it says."""

    async def tick(self, name: Name, within: Locator | None = None) -> None:
        """Tick a box that is not ticked."""

    async def write(self, name: str, text: str) -> None:
        """Replace what a code editor holds, as somebody who pastes it."""

    async def open_tab(self, name: Name) -> None:
        """Show the panel of a tab."""


class Mouse:
    """Clicks."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def on(self, page: Page) -> Hand:
        """Return another one."""
        return Mouse(page)

    async def press(self, role: str, name: Name, within: Locator | None = None) -> None:
        """Click it."""
        await _one(self.page, role, name, within).first.click()

    async def fill(self, name: Name, text: str, within: Locator | None = None) -> None:
        """Click into the field, and type."""
        field = _field(self.page, name, within)
        await field.click()
        await field.fill(text)

    async def choose(self, name: Name, option: str, within: Locator | None = None) -> None:
        """Pick the option."""
        await _one(self.page, "combobox", name, within).select_option(label=option)

    async def tick(self, name: Name, within: Locator | None = None) -> None:
        """Click the box."""
        await _one(self.page, "checkbox", name, within).check()

    async def write(self, name: str, text: str) -> None:
        """Click into the editor, select everything, and paste."""
        await _one(self.page, "textbox", name, None).click()
        await _paste(self.page, text)

    async def open_tab(self, name: Name) -> None:
        """Click it."""
        await _one(self.page, "tab", name, None).click()


class Keyboard:
    """Tab, arrows, Enter, Space and typing. Fails where the focus is lost or not seen, or a way is too long."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._has_begun = False

    def on(self, page: Page) -> Hand:
        """Return another one."""
        return Keyboard(page)

    async def press(self, role: str, name: Name, within: Locator | None = None) -> None:
        """Go there, and press Enter."""
        await self._go_to(_one(self.page, role, name, within))
        await self.page.keyboard.press("Enter")

    async def fill(self, name: Name, text: str, within: Locator | None = None) -> None:
        """Go there, select what it holds, and type."""
        await self._go_to(_field(self.page, name, within))
        await self.page.keyboard.press("ControlOrMeta+a")
        await self.page.keyboard.type(text)

    async def choose(self, name: Name, option: str, within: Locator | None = None) -> None:
        """Go there, then from the first option down to the one that is meant."""
        field = _one(self.page, "combobox", name, within)
        await self._go_to(field)
        await self.page.keyboard.press("Home")
        for _ in range(MOST_ARROWS):
            if await field.evaluate("(one) => one.selectedOptions[0].label") == option:
                return
            await self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{MOST_ARROWS} arrows do not reach {option!r} of {name!r}")

    async def tick(self, name: Name, within: Locator | None = None) -> None:
        """Go there, and press Space."""
        box = _one(self.page, "checkbox", name, within)
        await self._go_to(box)
        await self.page.keyboard.press("Space")
        await expect(box).to_be_checked()

    async def write(self, name: str, text: str) -> None:
        """Go there, select everything, and paste."""
        await self._go_to(_one(self.page, "textbox", name, None))
        await _paste(self.page, text)

    async def open_tab(self, name: Name) -> None:
        """Go to the tabs, of which one takes the focus, then along them with the arrow."""
        wanted = _one(self.page, "tab", name, None)
        tabs = self.page.get_by_role("tablist").filter(has=wanted).get_by_role("tab")
        await self._go_to(tabs)
        for _ in range(MOST_ARROWS):
            if await self._is_on(wanted):
                await self.page.keyboard.press("Enter")
                return
            await self.page.keyboard.press("ArrowRight")
        raise AssertionError(f"{MOST_ARROWS} arrows do not reach the tab {name!r}")

    async def _go_to(self, wanted: Locator) -> None:
        """Press Tab, or Shift and Tab if it stands before the focus, until one of the elements has the focus."""
        await expect(wanted.first).to_be_visible()
        stops = [await self._is_somewhere()]
        key = "Shift+Tab" if await wanted.first.evaluate(_IS_BEFORE) else "Tab"
        for _ in range(MOST_TABS):
            if await self._is_on(wanted):
                return
            await self._leave(key)
            stops.append(await focused(self.page))
            assert stops[-1].name == NOWHERE or not stops[-1].fault, f"on the way to {wanted}: {_way(stops)}"
        raise AssertionError(f"{MOST_TABS} Tabs do not reach {wanted}: {_way(stops)}")

    async def _is_somewhere(self) -> Stop:
        """Return what has the focus after the step before. A page that was just loaded has none yet."""
        stop = await focused(self.page)
        if self._has_begun and stop.name == NOWHERE:
            stop = await eventually(self._somewhere, 5)
        self._has_begun = True
        return stop

    async def _somewhere(self) -> Stop:
        stop = await focused(self.page)
        assert stop.name != NOWHERE, "the focus is lost: nothing has it after the step before"
        return stop

    async def _leave(self, key: str) -> None:
        """Go on. In a code editor Tab indents, until Escape was pressed."""
        if await self.page.locator(".cm-content:focus").count():
            await self.page.keyboard.press("Escape")
        await self.page.keyboard.press(key)

    async def _is_on(self, wanted: Locator) -> bool:
        return await wanted.and_(self.page.locator("*:focus")).count() > 0


def _one(page: Page, role: str, name: Name, within: Locator | None) -> Locator:
    """Return what has a role and a name. A name that is a text is the whole name."""
    return (within or page).get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]  # any role of ARIA


def _field(page: Page, name: Name, within: Locator | None) -> Locator:
    """Return a field to type in."""
    found = _one(page, _TEXTS[0], name, within)
    for role in _TEXTS[1:]:
        found = found.or_(_one(page, role, name, within))
    return found


async def _paste(page: Page, text: str) -> None:
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.insert_text(text)


def _way(stops: list[Stop]) -> str:
    return " → ".join(str(stop) for stop in stops)
