"""The demo page in a real browser on a whole stack: live push, mark as read, a hub that dies."""

import re
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, WebSocketRoute, expect

from stack import client
from stack.client import Running
from stack.local import Options
from tests.conftest import free_port
from tests.e2e.browser import chromium, open_page
from tests.waiting import eventually

# While the hub is away the page tries for as long as it takes; a loaded machine takes its time.
BACK_MS = 60_000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack of this file's own: its hub is killed."""
    chromium()  # a machine without one need not start all that
    started = client.start(Options(data=tmp_path_factory.mktemp("stack"), port=free_port()))
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page of a fresh browser."""
    async with open_page() as opened:
        yield opened


async def trigger(running: Running, order: str, **changes: Any) -> None:
    """Send the demo user an order's push."""
    event = {
        "eventType": "order.confirmed",
        "channels": ["PUSH"],
        "payload": {"userId": running.state.user_id},
        "variables": {"orderId": order, "customerName": "Ada", "total": "$5"},
        **changes,
    }
    url = f"{running.url}/api/v1/events/trigger"
    async with aiohttp.request("POST", url, json=event, headers={"x-api-key": running.api_key}) as answer:
        assert answer.status == 200, await answer.text()


async def inbox(running: Running) -> str:
    """Return what the demo user's inbox answers now."""
    state = running.state
    url = f"{running.url}/api/v1/notifications/{state.tenant_id}/{state.user_id}?limit=50"
    async with aiohttp.request("GET", url, headers={"x-api-key": running.api_key}) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.text()


async def is_kept(running: Running, order: str) -> None:
    """Wait until an order's push is in the inbox."""

    async def is_so() -> bool:
        return f"Order {order} " in await inbox(running)

    await eventually(is_so)


def row(page: Page, order: str) -> Any:
    """Return the list's rows about an order."""
    return page.locator("#list li").filter(has_text=f"Order {order} confirmed")


async def is_connected(page: Page) -> None:
    """Wait until the page says so."""
    await expect(page.locator("#state")).to_have_attribute("data-state", "connected", timeout=BACK_MS)


async def note_states(page: Page) -> None:
    """Have the page keep each state that it is in from now on, however shortly, in an attribute."""
    await page.evaluate("""() => {
        const state = document.getElementById("state");
        const kept = document.documentElement;
        kept.dataset.states = "";
        new MutationObserver(() => { kept.dataset.states += ` ${state.dataset.state}`; })
            .observe(state, { attributes: true, attributeFilter: ["data-state"] });
    }""")


async def was_cut_off(page: Page) -> None:
    """Wait until it has noticed that its connection is gone.

    By an attribute: the page's own policy forbids wait_for_function, which evaluates strings when it polls.
    """
    await expect(page.locator("html")).to_have_attribute("data-states", re.compile("connecting"), timeout=BACK_MS)


async def unread(page: Page) -> int:
    """Return the number on the bell, once the page has read its inbox."""
    await expect(page.locator("#list")).to_have_attribute("aria-busy", "false")
    return int(await page.locator("#unread").text_content() or 0)


async def test_a_push_arrives_live_and_is_marked_as_read(running: Running, page: Page) -> None:
    """Shown at once as text, counted, marked, and so after a reload; the key never reaches the browser."""
    said: list[str] = []
    headers: list[dict[str, str]] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("request", lambda request: headers.append(request.headers))
    await page.goto(f"{running.url}/demo")
    await is_connected(page)
    before = await unread(page)

    await trigger(running, "L-1")
    await expect(row(page, "L-1")).to_have_attribute("data-status", "UNREAD")
    await expect(page.locator("#unread")).to_have_text(str(before + 1))
    await expect(page.locator("#bell")).to_have_attribute("aria-label", f"Notifications, {before + 1} unread")
    await expect(page.locator("#news")).to_have_text("New notification: Order L-1 confirmed")

    await row(page, "L-1").get_by_role("button", name="Mark as read").click()
    await expect(row(page, "L-1")).to_have_attribute("data-status", "READ")
    await expect(page.locator("#unread")).to_have_text(str(before))
    await page.reload()
    await expect(row(page, "L-1")).to_have_attribute("data-status", "READ")
    assert await row(page, "L-1").count() == 1
    assert said == []
    assert not any("x-api-key" in sent for sent in headers)
    assert running.api_key not in await page.content()


async def test_markup_in_a_push_is_text(running: Running, page: Page) -> None:
    """What a stranger put into a variable neither runs nor becomes an element."""
    dialogs: list[str] = []

    async def note(dialog: Any) -> None:
        dialogs.append(dialog.message)
        await dialog.dismiss()

    page.on("dialog", note)
    await page.goto(f"{running.url}/demo")
    await is_connected(page)
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    await trigger(running, evil)
    shown = page.locator("#list li h2").filter(has_text="onerror")
    await expect(shown).to_have_text(f"Order {evil} confirmed")
    assert await page.locator("#list img, #list script").count() == 0
    assert dialogs == []


async def test_the_bell_opens_and_closes_the_list(running: Running, page: Page) -> None:
    """By keyboard, and it says so."""
    await page.goto(f"{running.url}/demo")
    await is_connected(page)
    bell = page.get_by_role("button", name="Notifications")
    await bell.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#inbox")).to_be_hidden()
    await expect(bell).to_have_attribute("aria-expanded", "false")
    await page.keyboard.press("Enter")
    await expect(page.locator("#inbox")).to_be_visible()


async def test_nothing_is_missed_when_the_hub_dies(running: Running, page: Page) -> None:
    """Killed, it is back with an empty history; what was pushed meanwhile is there, once, and then it is live again."""
    await page.goto(f"{running.url}/demo")
    await is_connected(page)
    await trigger(running, "R-1")
    await expect(row(page, "R-1")).to_have_count(1)
    before = await unread(page)

    await note_states(page)
    starts = running.kill("hub")
    await was_cut_off(page)
    await trigger(running, "R-2")
    await running.wait_restarted("hub", starts)
    await is_connected(page)
    await expect(row(page, "R-2")).to_have_count(1, timeout=BACK_MS)
    await trigger(running, "R-3")
    await expect(row(page, "R-3")).to_have_count(1, timeout=BACK_MS)
    await expect(row(page, "R-1")).to_have_count(1)
    await expect(page.locator("#unread")).to_have_text(str(before + 2))


class Wire:
    """The page's WebSocket connections, which a test may cut or delay."""

    def __init__(self) -> None:
        self.is_cut = False
        self._routes: list[WebSocketRoute] = []
        # What the page is to hear later; None: it hears all at once.
        self._held: list[tuple[WebSocketRoute, str | bytes]] | None = None

    async def handle(self, route: WebSocketRoute) -> None:
        """Pass a connection on, or refuse it."""
        if self.is_cut:
            await route.close(code=1012)
            return
        route.connect_to_server().on_message(lambda message: self._pass_on(route, message))
        self._routes.append(route)

    def _pass_on(self, route: WebSocketRoute, message: str | bytes) -> None:
        if self._held is None:
            route.send(message)
        else:
            self._held.append((route, message))

    def hold(self) -> None:
        """Keep what the server says until let_go()."""
        self._held = []

    def let_go(self) -> None:
        """Hand over what was kept."""
        held, self._held = self._held or [], None
        for route, message in held:
            route.send(message)

    async def cut(self) -> None:
        """End every connection, and refuse further ones until is_cut is False again."""
        self.is_cut = True
        for route in self._routes:
            await route.close(code=1012)


async def test_what_the_hub_forgot_is_read_from_the_inbox(running: Running, page: Page) -> None:
    """Pushed while the page was away, then lost with the hub's history: the page asks the inbox."""
    wire = Wire()
    await page.route_web_socket("**/connection/websocket", wire.handle)
    await page.goto(f"{running.url}/demo")
    await is_connected(page)
    await trigger(running, "F-0")
    await expect(row(page, "F-0")).to_have_count(1)
    # A page reads its inbox when it subscribes: that must be over, or it would see what comes now.
    await unread(page)
    await wire.cut()
    await trigger(running, "F-1")
    await is_kept(running, "F-1")
    await running.wait_restarted("hub", running.kill("hub"))
    assert await row(page, "F-1").count() == 0
    wire.is_cut = False
    await is_connected(page)
    await expect(row(page, "F-1")).to_have_count(1)


async def test_what_was_counted_before_it_came_live_counts_once(running: Running, page: Page) -> None:
    """A list read before a push was kept, a count read after it, and then the push itself."""
    wire = Wire()
    await page.route_web_socket("**/connection/websocket", wire.handle)
    await page.goto(f"{running.url}/demo")
    await is_connected(page)
    await trigger(running, "C-1")
    await expect(row(page, "C-1")).to_have_count(1)
    before = await unread(page)
    old = await inbox(running)

    wire.hold()
    await trigger(running, "C-2")
    await is_kept(running, "C-2")
    lists = re.compile(r"/notifications/.*[?]limit=")
    await page.route(lists, lambda route: route.fulfill(body=old, content_type="application/json"))
    async with page.expect_response("**/unread-count"):  # of the inbox read anew
        await row(page, "C-1").get_by_role("button", name="Mark as read").click()
    assert await unread(page) == before
    await page.unroute(lists)
    wire.let_go()
    await expect(row(page, "C-2")).to_have_count(1)
    assert await unread(page) == before


async def test_a_gateway_that_restarts_is_found_again(running: Running, page: Page) -> None:
    """The page comes back by itself, and so does what it missed."""
    await page.goto(f"{running.url}/demo")
    await is_connected(page)
    await note_states(page)
    starts = running.kill("gateway")
    await was_cut_off(page)
    await running.wait_restarted("gateway", starts)
    await is_connected(page)
    await trigger(running, "G-1")
    await expect(row(page, "G-1")).to_have_count(1, timeout=BACK_MS)


async def test_the_outbox_shows_a_mail_in_a_frame_that_can_do_nothing(running: Running, page: Page) -> None:
    """Listed, opened, its HTML in a sandbox, its text beside it."""
    variables = {"orderId": "M-1", "customerName": "Ada", "total": "$5", "items": []}
    payload = {"userId": "u", "recipientEmail": "ada@example.com"}
    await trigger(running, "M-1", channels=["EMAIL"], payload=payload, variables=variables)
    link = page.get_by_role("link", name="Order M-1 is confirmed")
    until = time.monotonic() + 60
    while True:
        await page.goto(f"{running.url}/demo/outbox")
        if await link.count() or time.monotonic() > until:
            break
    await link.click()
    frame = page.locator("iframe")
    assert await frame.get_attribute("sandbox") == ""
    await expect(page.frame_locator("iframe").locator("body")).to_contain_text("M-1")
    await expect(page.locator("pre").first).to_contain_text("M-1")
