"""<clarion-inbox> on a customer's page in a real browser: another origin, a strict policy, and what can go wrong."""

import json
from collections.abc import AsyncIterator
from typing import Literal

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, expect

from checks.client import Client, Tenant
from stack import inbox
from stack.client import Running
from tests.e2e.accessibility import grave_faults
from tests.e2e.recipients.conftest import PAGE_PORT, TOKEN_LIFETIME_S, Cable
from tests.e2e.recipients.site import BACK_MS, Site, Visitor
from tests.e2e.recipients.test_official_client import push
from tests.waiting import eventually

# As many as the hub remembers of a channel.
HISTORY = 50


@pytest_asyncio.fixture(loop_scope="session")
async def site(running: Running, tenant: Tenant, cable: Cable) -> AsyncIterator[Site]:
    """The site of the user u1; its pages come through the cable."""
    texts = (inbox.FOLDER / inbox.DIST / "texts" / "de.js").read_text()
    made = Site(tenant, "u1", f"http://127.0.0.1:{cable.port}", PAGE_PORT, texts)
    async with made.served():
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A fresh profile."""
    opened = await browser.new_context(viewport={"width": 1000, "height": 800})
    opened.set_default_timeout(30_000)
    try:
        yield opened
    finally:
        await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(site: Site, context: BrowserContext) -> AsyncIterator[Visitor]:
    """Somebody on a page that has broken neither the policy nor anything else at the end."""
    made = Visitor(await context.new_page(), site)
    yield made
    assert made.faults == []
    assert await made.page.evaluate("window.broken") == []


async def is_up(running: Running) -> bool:
    """Return whether the gateway answers."""
    try:
        async with aiohttp.request("GET", f"{running.url}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def test_a_push_arrives_is_counted_said_and_marked(visitor: Visitor, tenant: Tenant) -> None:
    """Without a reload; one, then all. The next visit finds them read."""
    await push(tenant, "u1", "before")
    await visitor.visit()
    await visitor.has_unread(1)
    await push(tenant, "u1", "now")
    await visitor.has_unread(2)
    await expect(visitor.page.locator("clarion-inbox [aria-live=polite]")).to_have_text("New notification: Note")
    [arrived] = await visitor.events("clarion-message")
    assert [item["body"] for item in json.loads(arrived)["items"]] == ["now"]
    await visitor.bell.click()
    await expect(visitor.panel).to_be_visible()
    assert await visitor.bodies() == ["now", "before"]
    await visitor.rows.first.get_by_role("button", name="Mark as read: Note").click()
    await visitor.has_unread(1)
    await expect(visitor.rows.first).to_be_focused()  # its button has gone
    await push(tenant, "u1", "third")
    await visitor.has_unread(2)
    await visitor.panel.get_by_role("button", name="Mark all as read").click()
    await visitor.has_unread(0)
    await expect(visitor.panel.get_by_role("button", name="Mark all as read")).to_be_hidden()
    await eventually(lambda: visitor.events("clarion-read"))
    await visitor.visit()
    await visitor.bell.click()
    await expect(visitor.rows).to_have_count(3)
    await visitor.has_unread(0)
    await expect(visitor.panel.locator("li.unread")).to_have_count(0)


async def test_a_long_inbox_comes_as_it_is_scrolled(visitor: Visitor, tenant: Tenant) -> None:
    """120 messages: twenty at first, then all, each once and in order; a new one on top meanwhile moves nothing."""
    await push(tenant, "u1", *[str(number) for number in range(120)])
    await visitor.visit()
    await visitor.has_unread(120)
    await visitor.bell.click()
    await expect(visitor.rows.first).to_be_visible()
    assert await visitor.rows.count() < 60
    await push(tenant, "u1", "new")
    await visitor.has_unread(121)
    scroll = visitor.panel.locator(".scroll")
    older = visitor.panel.get_by_role("button", name="Show older")

    async def all_there() -> bool:
        await scroll.evaluate("(element) => element.scrollTo(0, element.scrollHeight)")
        return await visitor.rows.count() == 121 and await older.is_hidden()

    await eventually(all_there)
    bodies = await visitor.bodies()
    assert bodies[0] == "new"
    assert sorted(bodies[1:], key=int) == [str(number) for number in range(120)]


async def test_what_the_hub_remembers_is_there_after_a_cut_cable(
    visitor: Visitor, tenant: Tenant, cable: Cable
) -> None:
    """In the list and in the count, once; meanwhile the list says that it is being tried."""
    await visitor.visit()
    await push(tenant, "u1", "one")
    await visitor.has_unread(1)
    await visitor.bell.click()
    cable.cut()
    await visitor.is_("connecting")
    await expect(visitor.panel.get_by_text("Reconnecting…")).to_be_visible()
    await push(tenant, "u1", "two", "three")
    cable.mend()
    await visitor.is_("connected")
    await visitor.has_unread(3)
    await expect(visitor.panel.get_by_text("Reconnecting…")).to_be_hidden()
    assert sorted(await visitor.bodies()) == ["one", "three", "two"]


async def test_what_the_hub_has_forgotten_is_read_from_the_inbox(
    visitor: Visitor, tenant: Tenant, cable: Cable, running: Running
) -> None:
    """More than a page and more than the hub remembers, and the hub is killed: all are there, once, in order."""
    await visitor.visit()
    await push(tenant, "u1", "first")
    await visitor.has_unread(1)
    await visitor.bell.click()
    cable.cut()
    await visitor.is_("connecting")
    missed = [f"missed {number}" for number in range(HISTORY + 10)]
    await push(tenant, "u1", *missed)
    await running.wait_restarted("hub", running.kill("hub"))
    cable.mend()
    await visitor.is_("connected")
    await visitor.has_unread(1 + len(missed))
    await push(tenant, "u1", "last")
    await visitor.has_unread(2 + len(missed))
    bodies = await visitor.bodies()
    assert (bodies[0], bodies[-1]) == ("last", "first")
    assert sorted(bodies[1:-1]) == sorted(missed)


async def test_nothing_is_missed_when_hub_and_gateway_restart(
    visitor: Visitor, tenant: Tenant, running: Running
) -> None:
    """Killed one after the other, with messages in between; live again afterwards."""
    await visitor.visit()
    starts = running.kill("hub")
    await push(tenant, "u1", "one")
    await running.wait_restarted("hub", starts)
    await visitor.has_unread(1)
    await running.wait_restarted("gateway", running.kill("gateway"))
    await eventually(lambda: is_up(running))
    await push(tenant, "u1", "two")
    await visitor.has_unread(2)
    await visitor.is_("connected")
    await push(tenant, "u1", "three")
    await visitor.has_unread(3)
    await visitor.bell.click()
    assert sorted(await visitor.bodies()) == ["one", "three", "two"]


async def test_a_token_that_ends_is_replaced_without_a_break(visitor: Visitor, tenant: Tenant) -> None:
    """On one connection, and for the inbox, too."""
    await visitor.visit()
    await eventually(lambda: visitor.site.sessions >= 3, 5 * TOKEN_LIFETIME_S)
    await push(tenant, "u1", "after")
    await visitor.has_unread(1)
    await visitor.bell.click()
    await visitor.rows.first.get_by_role("button").click()
    await visitor.has_unread(0)
    assert len(visitor.sockets) == 1


async def test_tokens_that_are_revoked_are_asked_for_again(visitor: Visitor, tenant: Tenant, client: Client) -> None:
    """The page comes back on other channels, with what came meanwhile."""
    await visitor.visit()
    # The first token was replaced already: that one must not be taken again.
    await eventually(lambda: visitor.site.sessions >= 2, 5 * TOKEN_LIFETIME_S)
    asked = visitor.site.sessions
    await client.operator.must("POST", f"/tenants/{tenant.id}/revoke-tokens", json={"user_id": "u1"})
    await visitor.is_("offline")
    await push(tenant, "u1", "meanwhile")
    await visitor.is_("connected")
    assert visitor.site.sessions > asked
    await visitor.has_unread(1)
    await push(tenant, "u1", "again")
    await visitor.has_unread(2)


async def test_without_a_session_it_says_so_and_tries_again(visitor: Visitor, tenant: Tenant) -> None:
    """An error with a button that asks again; once there is a session, all is shown by itself."""
    await push(tenant, "u1", "hello")
    visitor.site.is_closed = True
    await visitor.page.goto(visitor.site.url)
    await visitor.is_("offline")
    await visitor.bell.click()
    alert = visitor.panel.get_by_role("alert")
    await expect(alert).to_contain_text("could not be loaded")
    [*_, last] = await eventually(lambda: visitor.events("clarion-error"))
    assert "error" in json.loads(last)
    asked = visitor.site.sessions
    await alert.get_by_role("button", name="Try again").click()
    await eventually(lambda: visitor.site.sessions > asked)
    visitor.site.is_closed = False
    await expect(visitor.rows).to_have_count(1, timeout=BACK_MS)
    await expect(alert).to_be_hidden()
    await visitor.is_("connected")


async def test_the_keyboard_suffices(visitor: Visitor, tenant: Tenant) -> None:
    """Opened, read, marked and closed; focus is in the list while it is open, and back at the bell afterwards."""
    await push(tenant, "u1", "see https://acorn.example/a")
    await visitor.visit()
    await visitor.has_unread(1)
    press = visitor.page.keyboard.press
    await visitor.page.get_by_role("link", name="Skip").focus()
    await press("Tab")
    await expect(visitor.bell).to_be_focused()
    await expect(visitor.bell).to_have_attribute("aria-expanded", "false")
    await press("Enter")
    await expect(visitor.panel).to_be_focused()
    await expect(visitor.bell).to_have_attribute("aria-expanded", "true")
    for name in ("Mark all as read", "Close"):
        await press("Tab")
        await expect(visitor.panel.get_by_role("button", name=name, exact=True)).to_be_focused()
    await press("Tab")
    await expect(visitor.panel.locator(".scroll")).to_be_focused()
    await press("Tab")
    await expect(visitor.panel.get_by_role("link")).to_be_focused()
    await press("Tab")
    await expect(visitor.panel.get_by_role("button", name="Mark as read: Note")).to_be_focused()
    await press("Space")
    await visitor.has_unread(0)
    await expect(visitor.rows.first).to_be_focused()
    await press("Escape")
    await expect(visitor.panel).to_be_hidden()
    await expect(visitor.bell).to_be_focused()
    await press("Enter")
    await expect(visitor.panel).to_be_visible()
    for _ in range(4):  # close, list, link, and out of it
        await press("Tab")
    await expect(visitor.panel).to_be_hidden()
    await expect(visitor.page.locator("#after")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(visitor: Visitor, tenant: Tenant, scheme: Literal["light", "dark"]) -> None:
    """Closed, open and empty, and open with messages read and unread."""
    await visitor.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await visitor.visit()
    assert await grave_faults(visitor.page) == []
    await visitor.bell.click()
    await expect(visitor.panel.get_by_text("No notifications yet")).to_be_visible()
    assert await grave_faults(visitor.page) == []
    await push(tenant, "u1", "one", "two https://acorn.example/")
    await expect(visitor.rows).to_have_count(2)
    await visitor.rows.first.get_by_role("button").click()
    await visitor.has_unread(1)
    assert await grave_faults(visitor.page) == []
    tree = await visitor.page.locator("clarion-inbox").aria_snapshot()
    for line in ('button "Notifications, 1 unread" [expanded]', 'dialog "Notifications"', "listitem"):
        assert line in tree


async def test_a_strangers_text_stays_text(visitor: Visitor, tenant: Tenant) -> None:
    """Markup neither runs nor becomes an element, and only addresses with http and https are links."""
    evil = [
        "<img src=x onerror=alert(1)><script>alert(2)</script>",
        "javascript:alert(3) <a href='javascript:alert(4)'>x</a>",
        'https://acorn.example/"onclick="alert(5)',
        "</style></template><svg onload=alert(6)>",
        "\u202eevil {{constructor}} ${alert(7)}",
    ]
    await push(tenant, "u1", *evil)
    await visitor.visit()
    await visitor.bell.click()
    await expect(visitor.rows).to_have_count(len(evil))
    assert sorted(await visitor.bodies()) == sorted(evil)
    assert await visitor.panel.locator("img, script, li svg:not([aria-hidden]), [onclick]").count() == 0
    links = visitor.panel.get_by_role("link")
    assert [await link.get_attribute("href") for link in await links.all()] == ["https://acorn.example/"]
    assert await links.first.get_attribute("rel") == "noopener noreferrer nofollow"


async def test_times_are_relative_and_exact_on_hover(visitor: Visitor, tenant: Tenant) -> None:
    """And in the element for times."""
    await push(tenant, "u1", "one")
    await visitor.visit()
    await visitor.bell.click()
    time = visitor.rows.first.locator("time")
    text = await time.text_content()
    assert text is not None
    assert text == "now" or text.endswith("ago")
    assert str(await time.get_attribute("datetime")).endswith("Z")
    assert "20" in str(await time.get_attribute("title"))


async def test_two_components_share_a_connection(visitor: Visitor, tenant: Tenant) -> None:
    """One connection, one reading of the inbox, one voice; each shows the same, and one may go."""
    visitor.site.elements = "<clarion-inbox api={gateway}></clarion-inbox>" * 2
    read: list[str] = []
    visitor.page.on("request", lambda request: read.append(request.url) if "/api/v1/inbox/" in request.url else None)
    await visitor.visit()
    await push(tenant, "u1", "one")
    bells = visitor.page.locator("clarion-inbox button.bell")
    for number in range(2):
        await expect(bells.nth(number)).to_have_attribute("aria-label", "Notifications, 1 unread")
    assert len(visitor.sockets) == 1
    spoken = visitor.page.locator("clarion-inbox [aria-live=polite]")
    await expect(spoken.filter(has_text="New notification")).to_have_count(1)
    await bells.first.click()
    await visitor.rows.first.get_by_role("button").click()
    for number in range(2):
        await expect(bells.nth(number)).to_have_attribute("aria-label", "Notifications")
    await visitor.page.evaluate("document.querySelector('clarion-inbox').remove()")
    asked = visitor.site.sessions
    await eventually(lambda: visitor.site.sessions > asked, 5 * TOKEN_LIFETIME_S)
    await push(tenant, "u1", "two")
    await visitor.has_unread(1)
    assert len(visitor.sockets) == 1
    await visitor.page.evaluate("document.querySelector('clarion-inbox').remove()")
    await eventually(visitor.sockets[0].is_closed)
    assert len(read) < 12


async def test_another_language_and_direction(visitor: Visitor, tenant: Tenant) -> None:
    """German texts and times; from right to left the list starts at the right of the bell."""
    visitor.site.direction = "rtl"
    visitor.site.elements = "<clarion-inbox api={gateway} locale=de position=bottom-start></clarion-inbox>"
    await push(tenant, "u1", "eins")
    await visitor.visit()
    await visitor.page.evaluate("window.german()")
    await expect(visitor.bell).to_have_attribute("aria-label", "Benachrichtigungen, 1 ungelesen")
    await visitor.bell.click()
    await expect(visitor.panel.get_by_role("button", name="Alle als gelesen markieren")).to_be_visible()
    bell, panel = await visitor.bell.bounding_box(), await visitor.panel.bounding_box()
    assert bell is not None
    assert panel is not None
    assert abs(panel["x"] + panel["width"] - bell["x"] - bell["width"]) < 1
    text = str(await visitor.rows.first.locator("time").text_content())
    assert text == "jetzt" or text.startswith("vor ")


@pytest.mark.parametrize("width", [320, 390])
async def test_it_fits_a_telephone(visitor: Visitor, tenant: Tenant, width: int) -> None:
    """Neither the page nor the list is wider than the window."""
    await visitor.page.set_viewport_size({"width": width, "height": 700})
    await push(tenant, "u1", "x" * 300)
    await visitor.visit()
    await visitor.bell.click()
    await expect(visitor.rows).to_have_count(1)
    box = await visitor.panel.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert await visitor.page.evaluate("document.documentElement.scrollWidth") <= width
    assert await visitor.panel.evaluate("(element) => element.scrollWidth <= element.clientWidth")


async def test_tabs_are_independent(context: BrowserContext, visitor: Visitor, tenant: Tenant) -> None:
    """Each has its connection; what is read in one is read in the other once that is looked at again."""
    await visitor.visit()
    other = Visitor(await context.new_page(), visitor.site)
    await other.visit()
    await push(tenant, "u1", "one")
    await visitor.has_unread(1)
    await other.has_unread(1)
    await other.page.close()
    await push(tenant, "u1", "two")
    await visitor.has_unread(2)
