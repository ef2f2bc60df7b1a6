"""A visit to the console with a real browser, which notices everything that a page must not do."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Request, WebSocket, expect

from stack import console, npm
from tests.integration.gateway.console_visitor import Visitor
from tests.packages import installed

_REPORTS = "/csp-reports"
_HEIGHT = 900
# Documents in which mails are shown. What a mail tries there, and may not, is no fault of the page.
_OF_MAILS = ("/console/frame", "about:srcdoc")
# Said by axe-core of what stops people from using a page.
_GRAVE = ("serious", "critical")
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_OF_COLORS = ["color-contrast", "link-in-text-block"]
# Frames hold mails, in which nothing of ours runs: axe-core would only wait for an answer from them.
_AXE = """async (runOnly) => (await axe.run(document, {
    resultTypes: ["violations"], iframes: false, runOnly,
})).violations.map((one) => ({
    id: one.id, impact: one.impact, help: one.help, nodes: one.nodes.slice(0, 5).map((node) => node.html),
}))"""


# What reaches beyond the window, and nothing of which does.
_OUTSIDE = """() => [...document.querySelectorAll("main *")]
    .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth)
    .filter((one, _, all) => !all.some((other) => other !== one && one.contains(other)))
    .slice(0, 5).map((one) => one.outerHTML.slice(0, 200))"""


@dataclass(frozen=True)
class Look:
    """How a page is looked at. width: of the window, in pixels."""

    width: int = 1440
    scheme: Literal["light", "dark"] = "light"

    @property
    def name(self) -> str:
        """Such as "390-dark"."""
        return f"{self.width}-{self.scheme}"


WIDE_LIGHT = Look()
ALL_LOOKS = (WIDE_LIGHT, Look(scheme="dark"), Look(width=390), Look(width=390, scheme="dark"))
# Of what a test does on a screen: both widths and both schemes. test_every_screen.py has all four.
LOOKS = [pytest.param(look, id=look.name) for look in (ALL_LOOKS[0], ALL_LOOKS[-1])]


class Visit:
    """A page of the console. faults: what it must not do and did; allow() leaves out what a test provokes."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.faults: list[str] = []
        self._allowed: list[re.Pattern[str]] = []
        self._host = urlsplit(url).netloc
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.faults.append(f"uncaught: {error}"))
        page.on("request", self._note_request)
        page.on("websocket", self._note_socket)

    @classmethod
    @asynccontextmanager
    async def opened(cls, browser: Browser, url: str, look: Look, token: str) -> AsyncIterator["Visit"]:
        """Open an empty page. token: an admin token that the gateway gets with each request; empty: none."""
        context = await browser.new_context(
            viewport={"width": look.width, "height": _HEIGHT},
            color_scheme=look.scheme,
            permissions=["clipboard-read", "clipboard-write"],
            extra_http_headers={"Authorization": f"Bearer {token}"} if token else {},
        )
        try:
            page = await context.new_page()
            page.set_default_timeout(30_000)
            yield cls(page, url)
        finally:
            await context.close()

    async def sign_in(self, person: Visitor) -> None:
        """Go on with the session of somebody who has signed in."""
        token, _ = person.signed_in
        await self.page.context.add_cookies([{"name": "clarion_session", "value": token, "url": self.url}])

    async def look(self, look: Look) -> None:
        """Look at the open page in another way."""
        await self.page.emulate_media(color_scheme=look.scheme)
        await self.page.set_viewport_size({"width": look.width, "height": _HEIGHT})

    async def open(self, path: str, title: str = "") -> None:
        """Open a path of the console, such as "/messages", and wait for its screen; title: its h1."""
        await self.page.goto(f"{self.url}/console{path}")
        await self.settled(title)

    async def settled(self, title: str = "") -> None:
        """Wait until a screen is there, with its h1 and without anything that still loads."""
        heading = self.page.get_by_role("heading", level=1)
        await expect(heading).to_have_count(1)
        if title:
            await expect(heading).to_have_text(title)
        await expect(self.page.get_by_role("status").filter(has_text="…")).to_have_count(0)

    async def show_filters(self) -> None:
        """Show the filters of a list, which a narrow window has behind a button."""
        button = self.page.get_by_role("search", name="Filters").get_by_role("button", name=re.compile("^Filters"))
        if await button.count() and await button.get_attribute("aria-expanded") == "false":
            await button.click()

    async def choose(self, label: str, text: str) -> None:
        """Choose what a list finds first for a text, by keyboard. label: of the field that shows what is chosen."""
        await self.page.get_by_role("combobox", name=re.compile(f"^{re.escape(label)}")).press("ArrowDown")
        popup = self.page.get_by_role("dialog")
        search = popup.get_by_role("combobox")
        await expect(search).to_be_focused()
        await search.fill(text)
        await expect(popup.get_by_role("option").first).to_contain_text(text)
        await search.press("ArrowDown")
        await search.press("Enter")
        await expect(search).to_have_count(0)

    def allow(self, pattern: str) -> None:
        """Leave out faults that match a regular expression, such as r"status of 422"."""
        self._allowed.append(re.compile(pattern))

    def left(self) -> list[str]:
        """Return the faults that are not allowed."""
        return [fault for fault in self.faults if not any(one.search(fault) for one in self._allowed)]

    def assert_faultless(self) -> None:
        """Fail if the page did what it must not do."""
        left = self.left()
        assert not left, "\n".join(left)

    async def assert_accessible(self) -> None:
        """Fail if axe-core finds something serious on the page as it is now."""
        await self._assert_rules(_RULES)

    async def assert_legible(self) -> None:
        """Fail if axe-core finds something serious in the colors of the page as it is now."""
        await self._assert_rules(_OF_COLORS)

    async def _assert_rules(self, rules: Sequence[str]) -> None:
        installed(console.FOLDER)
        # What has been scrolled below the bar on top is partly covered, and no target is smaller for that.
        await self.page.evaluate("window.scrollTo(0, 0)")
        if await self.page.evaluate("typeof axe") == "undefined":
            await self.page.evaluate((console.FOLDER / npm.MODULES / "axe-core" / "axe.min.js").read_text())
        found: list[dict[str, Any]] = await self.page.evaluate(_AXE, list(rules))
        grave = [f"{one['id']}: {one['help']}: {one['nodes']}" for one in found if one["impact"] in _GRAVE]
        assert not grave, "\n".join(grave)

    async def assert_well_formed(self) -> None:
        """Fail unless there is one h1, one main region, a title, and nothing wider than the window."""
        page = self.page
        assert await page.get_by_role("heading", level=1).count() == 1
        assert await page.get_by_role("main").count() == 1
        assert (await page.title()).endswith(" \u2013 Clarion")
        wide, room = await page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        if wide > room:
            outside = await page.evaluate(_OUTSIDE)
            raise AssertionError(f"the page is {wide} pixels wide in a window of {room}: {outside}")

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        if not str(message.location.get("url", "")).startswith((f"{self.url}{_OF_MAILS[0]}", _OF_MAILS[1])):
            self.faults.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _note_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in {"http", "https"} and address.netloc != self._host:
            self.faults.append(f"request to another host: {request.url}")
        elif address.path == _REPORTS:
            self.faults.append(f"policy broken: {request.post_data}")

    def _note_socket(self, socket: WebSocket) -> None:
        if urlsplit(socket.url).netloc != self._host:
            self.faults.append(f"WebSocket to another host: {socket.url}")
