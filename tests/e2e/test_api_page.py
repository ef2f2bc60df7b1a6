"""The API page in a real browser: "Test Request" against the running gateway, and nothing to or from another host."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Request, expect

from checks.client import Client
from checks.waiting import until
from stack.client import Running
from tests.e2e.browser import page_of

_TRIGGER = "/api/v1/events/trigger"
# What the browser keeps after the tab is closed, or shares with other tabs.
_STORED = """async () => JSON.stringify([
    {...localStorage}, {...sessionStorage}, document.cookie, await indexedDB.databases(), await caches.keys(),
])"""


class Visit:
    """The page with what it asked for and complained about."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.requests: list[Request] = []
        self.complaints: list[str] = []
        self.url = url
        page.on("request", lambda request: self.requests.append(request))  # noqa: PLW0108 - it takes no built-in
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)

    async def load(self) -> None:
        """Open the page and wait until the viewer shows the document."""
        await self.page.goto(f"{self.url}/docs")
        await expect(self.page.get_by_role("heading", name="Clarion", level=1)).to_be_visible()

    async def send(self, key: str) -> str:
        """Send the example of the operation that triggers an event, with the tenant's key. Return the event's id."""
        page = self.page
        await page.get_by_role("button", name="Select Auth Type").click()
        await page.get_by_role("option", name="tenantKey").click()
        await page.keyboard.press("Escape")
        await page.locator("input[placeholder='QUxMIFlPVVIgQkFTRSBBUkUgQkVMT05HIFRPIFVT']").fill(key)
        await page.get_by_role("button", name=f"Test Request (post {_TRIGGER})").click()
        async with page.expect_response(f"**{_TRIGGER}") as sent:
            await page.get_by_role("dialog").get_by_role("button", name="Send post request").click()
        answer = await sent.value
        assert answer.status == 200, await answer.text()
        await expect(page.get_by_role("dialog")).to_contain_text("200 OK")
        return answer.headers["x-event-id"]


@pytest_asyncio.fixture(loop_scope="session")
async def visit(shared_stack: Running, browser: Browser) -> AsyncIterator[Visit]:
    """A visit with a fresh profile."""
    async with page_of(browser) as page:
        yield Visit(page, shared_stack.url)


async def test_a_request_is_sent_from_the_page(visit: Visit, client: Client) -> None:
    """The key goes to the gateway only. Whatever the page loads is the gateway's, and the browser stores no key."""
    tenant = await client.operator.create_tenant("Reader")
    await visit.load()
    event_id = await visit.send(tenant.api_key)
    await until(lambda: client.operator.finished(event_id), "the event's end", deadline=30)
    assert visit.complaints == []
    asked = [request for request in visit.requests if not request.url.startswith("data:")]
    assert [request.url for request in asked if not request.url.startswith(f"{client.http.url}/")] == []
    carried = [request.url for request in asked if tenant.api_key in json.dumps(await request.all_headers())]
    assert carried == [f"{client.http.url}{_TRIGGER}"]
    assert tenant.api_key not in await visit.page.evaluate(_STORED)
    await visit.page.reload()
    await expect(visit.page.get_by_role("button", name="Select Auth Type")).to_be_visible()
    assert tenant.api_key not in await visit.page.content()


@pytest.mark.parametrize("elsewhere", ["http://localhost:1/", "https://proxy.scalar.com/"])
async def test_the_page_connects_to_its_own_address_only(visit: Visit, elsewhere: str) -> None:
    """Whatever the viewer or a typed server address may want: the page's policy forbids it."""
    await visit.load()
    with pytest.raises(Exception, match="Failed to fetch"):
        await visit.page.evaluate("url => fetch(url, {mode: 'no-cors'})", elsewhere)
    assert "violates the following Content Security Policy directive" in " ".join(visit.complaints)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_is_read_on_a_phone(visit: Visit, scheme: Any) -> None:
    """Nothing runs out of a narrow screen, and the page follows the system's colours."""
    await visit.page.set_viewport_size({"width": 375, "height": 740})
    await visit.page.emulate_media(color_scheme=scheme)
    await visit.load()
    width = await visit.page.evaluate("document.documentElement.scrollWidth")
    assert width == 375
    await expect(visit.page.locator("body")).to_contain_class(f"{scheme}-mode")


async def test_without_the_viewer_it_says_what_to_do(visit: Visit) -> None:
    """On a machine without npm the document itself is still one click away."""
    page = visit.page
    await page.route("**/docs/viewer/**", lambda route: route.fulfill(status=404))
    await page.goto(f"{visit.url}/docs")
    await expect(page.get_by_role("status")).to_contain_text("make pages")
    await page.get_by_role("link", name="openapi.json").click()
    await expect(page.locator("body")).to_contain_text('"openapi":"3.1.0"')
