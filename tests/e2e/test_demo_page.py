"""The demo shop and its outbox in a real browser on a whole stack: orders, live push, a hub that dies."""

import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, Route, WebSocketRoute, expect

from stack import client
from stack.client import Running
from stack.local import Options
from tests.conftest import free_port
from tests.e2e.accessibility import grave_faults
from tests.e2e.browser import chromium, page_of
from tests.waiting import eventually

# While the hub is away the page tries for as long as it takes; a loaded machine takes its time.
BACK_MS = 60_000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack of this file's own: its hub is killed."""
    chromium()  # a machine without one need not start all that
    with client.started(Options(data=tmp_path_factory.mktemp("stack"), port=free_port())) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page of a fresh profile."""
    async with page_of(browser) as opened:
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


async def inbox(running: Running, rest: str = "?limit=50") -> str:
    """Return what the demo user's inbox answers now."""
    state = running.state
    url = f"{running.url}/api/v1/notifications/{state.tenant_id}/{state.user_id}{rest}"
    async with aiohttp.request("GET", url, headers={"x-api-key": running.api_key}) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.text()


async def is_kept(running: Running, order: str) -> None:
    """Wait until an order's push is in the inbox."""

    async def is_so() -> bool:
        return f"Order {order} " in await inbox(running)

    await eventually(is_so)


def row(page: Page, order: str) -> Locator:
    """Return the bell's rows about an order."""
    return page.locator("clarion-inbox li").filter(has_text=f"Order {order} confirmed")


def bell(page: Page) -> Locator:
    """Return the bell."""
    return page.get_by_role("button", name="Notifications", exact=False).first


async def is_connected(page: Page) -> None:
    """Wait until the component says so."""
    await expect(page.locator("clarion-inbox")).to_have_attribute("data-state", "connected", timeout=BACK_MS)


async def note_states(page: Page) -> None:
    """Have the page keep each state that the component is in from now on, however shortly, in an attribute."""
    await page.evaluate("""() => {
        const inbox = document.querySelector("clarion-inbox");
        const kept = document.documentElement;
        kept.dataset.states = "";
        new MutationObserver(() => { kept.dataset.states += ` ${inbox.dataset.state}`; })
            .observe(inbox, { attributes: true, attributeFilter: ["data-state"] });
    }""")


async def was_cut_off(page: Page) -> None:
    """Wait until it has noticed that its connection is gone.

    By an attribute: the page's own policy forbids wait_for_function, which evaluates strings when it polls.
    """
    await expect(page.locator("html")).to_have_attribute("data-states", re.compile("connecting"), timeout=BACK_MS)


async def is_read(page: Page) -> None:
    """Wait until the component has read the inbox."""
    await expect(page.locator("clarion-inbox .panel")).to_have_attribute("aria-busy", "false")


async def has_unread(page: Page, count: int) -> None:
    """Wait until the bell tells this number."""
    name = f"Notifications, {count} unread" if count else "Notifications"
    await expect(bell(page)).to_have_attribute("aria-label", name, timeout=BACK_MS)


async def unread(running: Running, page: Page) -> int:
    """Return the number of unread notifications, once the bell tells what the inbox counts.

    What comes while the component reads the inbox is counted for certain only with the next reading.
    """
    await is_read(page)
    count = int(json.loads(await inbox(running, "/unread-count"))["unread"])
    await has_unread(page, count)
    return count


async def test_an_order_becomes_three_messages(running: Running, page: Page) -> None:
    """The bell, a mail and a text message; each leads to where it can be seen. The key never reaches the browser."""
    said: list[str] = []
    headers: list[dict[str, str]] = []
    hosts: set[str] = set()
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("request", lambda request: headers.append(request.headers))
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    await page.goto(f"{running.url}/demo")
    await is_connected(page)
    before = await unread(running, page)
    await page.get_by_role("button", name="Order a bird feeder").click()
    happened = page.locator("#happened > li").first
    await expect(happened.locator("li.done")).to_have_count(4, timeout=BACK_MS)
    await has_unread(page, before + 1)
    event = str(await happened.get_by_role("link").first.get_attribute("href"))
    assert event.startswith("/console/messages/")
    order = str(await happened.locator(".order span").text_content()).rpartition(" ")[2]
    await happened.get_by_role("link", name="To ada@example.com").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"Order {order} is confirmed")
    assert said == []
    assert not any("x-api-key" in sent for sent in headers)
    assert running.api_key not in await page.content()
    assert hosts == {running.url.split("/")[2]}


async def test_orders_are_limited_and_only_of_the_shop(running: Running) -> None:
    """Whoever sees the page can order what it sells, slowly, and nothing else."""
    async with aiohttp.ClientSession(running.url) as http:
        wrong: list[Any] = [{"product": "car"}, {}, {"product": "oak", "payload": {"userId": "x"}}, []]
        for body in wrong:
            async with http.post("/demo/orders", json=body) as answer:
                assert answer.status == 422
        async with http.post("/demo/orders", data={"product": "oak"}) as answer:
            assert answer.status == 415  # what another site's form could send
        for _ in range(12):
            async with http.post("/demo/orders", json={"product": "oak"}) as answer:
                if answer.status == 429:
                    assert answer.headers["Retry-After"]
                    break
        else:
            pytest.fail("twelve orders at once were all accepted")


async def test_a_push_arrives_live_and_is_marked_as_read(running: Running, page: Page) -> None:
    """Shown at once, counted, marked, and so after a reload."""
    await page.goto(f"{running.url}/demo")
    await is_connected(page)
    before = await unread(running, page)
    await trigger(running, "L-1")
    await has_unread(page, before + 1)
    await bell(page).click()
    await row(page, "L-1").get_by_role("button", name="Mark as read").click()
    await has_unread(page, before)
    await page.reload()
    await is_read(page)
    assert await row(page, "L-1").count() == 1
    assert await unread(running, page) == before


async def test_nothing_is_missed_when_the_hub_dies(running: Running, page: Page) -> None:
    """Killed, it is back with an empty history; what was pushed meanwhile is there, once, and then it is live again."""
    await page.goto(f"{running.url}/demo")
    await is_connected(page)
    await trigger(running, "R-1")
    await expect(row(page, "R-1")).to_have_count(1)
    before = await unread(running, page)

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
    await has_unread(page, before + 2)


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
    # It reads the inbox when it subscribes: that must be over, or it would see what comes now.
    await unread(running, page)
    await wire.cut()
    await trigger(running, "F-1")
    await is_kept(running, "F-1")
    await running.wait_restarted("hub", running.kill("hub"))
    assert await row(page, "F-1").count() == 0
    wire.is_cut = False
    await is_connected(page)
    await expect(row(page, "F-1")).to_have_count(1)


async def test_what_was_read_before_it_came_live_counts_once(running: Running, page: Page) -> None:
    """A push that the inbox tells of before the hub does."""
    wire = Wire()
    await page.route_web_socket("**/connection/websocket", wire.handle)
    await page.goto(f"{running.url}/demo")
    await is_connected(page)
    await trigger(running, "C-1")
    await expect(row(page, "C-1")).to_have_count(1)
    before = await unread(running, page)

    wire.hold()
    await trigger(running, "C-2")
    await is_kept(running, "C-2")
    await page.evaluate("document.querySelector('clarion-inbox').refresh()")
    await expect(row(page, "C-2")).to_have_count(1)
    await has_unread(page, before + 1)
    wire.let_go()
    await trigger(running, "C-3")
    await expect(row(page, "C-3")).to_have_count(1)
    await has_unread(page, before + 2)
    assert await row(page, "C-2").count() == 1


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


async def mailed(running: Running, page: Page, order: str, event_type: str = "order.confirmed") -> None:
    """Send a mail about an order, and open the outbox once it is there."""
    variables = {"orderId": order, "customerName": "Ada", "total": "$5", "items": []}
    payload = {"userId": "u", "recipientEmail": "ada@example.com"}
    await trigger(running, order, eventType=event_type, channels=["EMAIL"], payload=payload, variables=variables)
    link = page.get_by_role("link", name=f"Order {order} is confirmed")
    until = time.monotonic() + 60
    while True:
        await page.goto(f"{running.url}/demo/outbox")
        if await link.count() or time.monotonic() > until:
            return


async def test_the_outbox_shows_a_mail_in_a_frame_that_can_do_nothing(running: Running, page: Page) -> None:
    """Listed with a time that people read, opened, its HTML in a sandbox, its text beside it."""
    await mailed(running, page, "M-1")
    shown = page.locator(".message").filter(has_text="Order M-1 is confirmed").locator("time")
    await expect(shown).to_have_text(re.compile("now|ago"))
    assert re.search(r"20\d\d", str(await shown.get_attribute("title")))
    await page.get_by_role("link", name="Order M-1 is confirmed").click()
    frame = page.locator("iframe")
    assert await frame.get_attribute("sandbox") == ""
    await expect(page.frame_locator("iframe").locator("body")).to_contain_text("M-1")
    await expect(page.locator("pre").first).to_contain_text("M-1")


async def test_images_of_other_hosts_are_loaded_when_asked_for(running: Running, page: Page) -> None:
    """Not before; scripts of the mail never run."""
    template = {
        "tenant_id": running.state.tenant_id,
        "event_type": "picture.info",
        "channel": "EMAIL",
        "subject": "Order P-1 is confirmed",
        "body": "<mjml><mj-body><mj-section><mj-column><mj-image src='https://pictures.example/x.png' alt='x' />"
        "</mj-column></mj-section></mj-body></mjml>",
        "activate": True,
    }
    headers = {"Authorization": f"Bearer {running.state.admin_token}"}
    url = f"{running.url}/api/v1/admin/templates"
    async with aiohttp.request("POST", url, json=template, headers=headers) as answer:
        assert answer.status == 201, await answer.text()
    asked: list[str] = []

    async def note(route: Route) -> None:
        asked.append(route.request.url)
        await route.abort()

    await page.route("https://pictures.example/**", note)
    await mailed(running, page, "P-1", "picture.info")
    await page.get_by_role("link", name="Order P-1 is confirmed").click()
    await expect(page.frame_locator("iframe").locator("img")).to_have_count(1)
    assert asked == []
    async with page.expect_request("https://pictures.example/x.png"):
        await page.get_by_role("link", name="Show them").click()
    await expect(page.get_by_role("link", name="Hide them")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
async def test_the_pages_are_for_everybody(
    running: Running, page: Page, scheme: Literal["light", "dark"], width: int
) -> None:
    """axe-core finds nothing serious, nothing is wider than the window, and there is one heading of the first level."""
    evil = "<script>alert(1)</script>" + "W" * 50
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": width, "height": 800})
    await mailed(running, page, f"{width}{scheme}{evil}")
    message = await page.locator(".message a").first.get_attribute("href")
    for path in ("/demo", "/demo/outbox", message, "/demo/outbox/nothing"):
        await page.goto(f"{running.url}{path}")
        await expect(page.get_by_role("heading", level=1)).to_have_count(1)
        assert await grave_faults(page) == []
        wide, room = await page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide <= room, path
