"""Webhooks for our own users on a whole stack: events of any API, signed, polled, and managed in the portal."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, Page, ViewportSize, expect
from standardwebhooks import Webhook

from checks.client import Client
from checks.waiting import until
from tests.e2e.webhook_receiver import Receiver, receiving
from tests.integration.gateway.test_endpoints import endpoint_calls

END_S = 30.0
_MOBILE: ViewportSize = {"width": 390, "height": 844}


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    """A server on loopback."""
    async with receiving() as made:
        yield made


async def _subscribed(client: Client, tenant_id: str, event_type: str, **fields: Any) -> dict[str, Any]:
    """Return a new endpoint that subscribes to a type."""
    operator, base = client.operator, f"/tenants/{tenant_id}"
    with contextlib.suppress(AssertionError):  # it exists already
        await operator.must("POST", f"{base}/event-types", json={"name": event_type})
    made: dict[str, Any] = await operator.must("POST", f"{base}/endpoints", json=fields)
    await operator.must("POST", f"{base}/endpoints/{made['id']}/subscriptions", json={"event_types": [event_type]})
    return made


async def _is(condition: bool) -> bool:  # noqa: FBT001 - until() awaits what it is given
    await asyncio.sleep(0)
    return condition


async def test_an_event_of_a_tenants_own_api_reaches_its_endpoints(client: Client, receiver: Receiver) -> None:
    """Beside its other channels, at once after it subscribed; with its body byte for byte, and on the timeline."""
    tenant = await client.operator.create_tenant("Webhooks")
    endpoint = await _subscribed(client, tenant.id, "order.shipped", url=receiver.url)
    variables = {"orderId": "W-1", "note": "café €", "big": 12345678901234567890}
    event = {"eventType": "order.shipped", "payload": {"userId": "u1"}, "variables": variables}
    event_id = await tenant.accept(event)
    await until(lambda: _is(len(receiver.arrived) == 1), "the message", deadline=END_S)
    assert receiver.verified(endpoint["secret"]) == [variables]

    async def is_sent() -> bool:
        shown = await client.operator.must("GET", f"/events/{event_id}")
        return any(
            step["step"] == "sent" and step["http"] is not None and step["http"]["status"] == 204
            for step in shown["timeline"]
        )

    await until(is_sent, "the timeline", deadline=END_S)


async def test_a_receiver_reads_its_events_by_polling(client: Client) -> None:
    """In pages, each event until the cursor is past it; then it is sent."""
    tenant = await client.operator.create_tenant("Polling")
    base = f"/tenants/{tenant.id}"
    endpoint = await _subscribed(client, tenant.id, "order.shipped", mode="polled")
    new = {"name": "reader", "kind": "poll", "endpoint_ids": [endpoint["id"]]}
    key = (await client.operator.must("POST", f"{base}/keys", json=new))["api_key"]
    for number in range(3):
        body = {"event_type": "order.shipped", "endpoints": {"subscribers": True}, "variables": {"n": number}}
        await client.operator.must("POST", f"{base}/events", json=body)

    async def read(query: str) -> dict[str, Any]:
        answer = await client.http.call(
            "GET", f"/api/v1/poll/{endpoint['id']}?limit=2{query}", headers={"Authorization": f"Bearer {key}"}
        )
        assert answer.status == 200, answer.body
        return dict(answer.body)

    async def all_wait() -> bool:
        state = await client.operator.must("GET", f"{base}/endpoints/{endpoint['id']}/state")
        return bool(state["parked"] == 3)

    await until(all_wait, "the events", deadline=END_S)
    first = await read("")
    assert [one["payload"]["n"] for one in first["data"]] == [0, 1]
    assert first["done"] is False
    assert [one["id"] for one in (await read(""))["data"]] == [one["id"] for one in first["data"]]
    second = await read(f"&cursor={first['cursor']}")
    assert ([one["payload"]["n"] for one in second["data"]], second["done"]) == ([2], True)
    assert (await read(f"&cursor={second['cursor']}"))["data"] == []

    async def all_sent() -> bool:
        page = await client.operator.must("GET", f"{base}/endpoints/{endpoint['id']}/deliveries?status=sent")
        return len(page["data"]) == 3

    await until(all_sent, "the deliveries", deadline=END_S)
    assert Webhook(endpoint["secret"]).verify(json.dumps({"n": 2}, separators=(",", ":")), second["data"][0]["headers"])


async def test_another_tenants_ids_are_not_there(client: Client, receiver: Receiver) -> None:
    """Of an endpoint with a delivery, whatever is asked; and nothing of it has changed afterwards."""
    owner, other = [await client.operator.create_tenant(name) for name in ("Owner", "Other")]
    endpoint = await _subscribed(client, owner.id, "order.shipped", url=receiver.url)
    base, path = f"/tenants/{owner.id}", f"/endpoints/{endpoint['id']}"
    sent = await client.operator.must("POST", f"{base}{path}/test", json={})
    [kind] = (await client.operator.must("GET", f"{base}/event-types"))["data"]
    application = await client.operator.must("POST", f"{base}/applications", json={"name": "Walnut"})
    await client.operator.must("POST", f"/tenants/{other.id}/event-types", json={"name": "a"})

    async def is_known() -> bool:
        return len((await client.operator.must("GET", f"{base}{path}/deliveries"))["data"]) == 1

    await until(is_known, "the delivery", deadline=END_S)
    before = await client.operator.must("GET", base + path)
    for method, call, body in (
        *endpoint_calls(endpoint["id"], kind["id"]),
        ("GET", f"deliveries/{sent['delivery_id']}/attempts", None),
        ("POST", f"deliveries/{sent['delivery_id']}/retry", None),
        ("DELETE", f"event-types/{kind['id']}", None),
        ("POST", f"applications/{application['id']}/portal", {}),
        ("DELETE", f"applications/{application['id']}", None),
    ):
        answer = await client.operator.call(method, f"/tenants/{other.id}/{call}", json=body)
        assert answer.status == 404, (method, call, answer.body)
    assert (await client.operator.must("GET", f"/tenants/{other.id}{path}/deliveries"))["data"] == []
    assert await client.operator.must("GET", base + path) == before


async def _link(client: Client, name: str = "Walnut") -> str:
    """Return the URL of a link to the portal of a new application, which sees the type order.shipped."""
    operator = client.operator
    base = f"/tenants/{(await operator.create_tenant('Portal')).id}"
    await operator.must("POST", f"{base}/event-types", json={"name": "order.shipped"})
    [environment] = (await operator.must("GET", f"{base}/environments"))["data"]
    shown = f"{base}/environments/{environment['id']}/event-types"
    [kind] = (await operator.must("GET", shown))["data"]
    await operator.must("PUT", f"{shown}/{kind['event_type_id']}", json={"published": True})
    new = {"name": name, "show_event_types": True}
    application = await operator.must("POST", f"{base}/applications", json=new)
    link = await operator.must("POST", f"{base}/applications/{application['id']}/portal", json={})
    return str(link["url"])


async def _open(page: Page, link: str) -> None:
    """Open the portal."""
    await page.goto(link)
    await page.get_by_role("button", name="Open").click()
    await expect(page.get_by_role("heading", name="Webhook endpoints")).to_be_visible()


async def _is_dark_and_light(page: Page) -> None:
    """Check that the page follows what its visitor prefers."""
    colors = "body => [getComputedStyle(body).backgroundColor, getComputedStyle(body).color]"
    await page.emulate_media(color_scheme="dark")
    dark = await page.locator("body").evaluate(colors)
    await page.emulate_media(color_scheme="light")
    assert await page.locator("body").evaluate(colors) != dark


@contextlib.asynccontextmanager
async def _visitor(browser: Browser, **options: Any) -> AsyncIterator[tuple[Page, list[str]]]:
    """Give a page without scripts, and what its console says."""
    context = await browser.new_context(java_script_enabled=False, viewport=_MOBILE, **options)
    page = await context.new_page()
    page.set_default_timeout(30_000)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    try:
        yield page, said
    finally:
        await context.close()


async def _is_narrow(page: Page) -> None:
    """Check that nothing on the page is wider than the screen."""
    widths = await page.locator("body").evaluate("body => [document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1], widths


async def test_a_customer_manages_its_endpoint_in_the_portal(
    client: Client, receiver: Receiver, browser: Browser
) -> None:
    """In a browser without scripts, 390 pixels wide: from the link to a delivery that is sent again."""
    link = await _link(client, name="W" * 200)
    receiver.answer = (400, b"<script>document.title = 'hacked'</script>" + b"x" * 5000)

    async with _visitor(browser) as (page, said):
        await _open(page, link)
        await _is_narrow(page)
        await page.get_by_label("URL").fill(receiver.url + "/" + "long" * 100)
        await page.get_by_label("Description").fill("<b>Orders</b>")
        await page.get_by_role("button", name="Add").click()
        await expect(page.get_by_role("status")).to_have_text("The endpoint was created.")
        await expect(page.get_by_text("<b>Orders</b>").first).to_be_visible()
        await _is_narrow(page)
        await _is_dark_and_light(page)

        await page.get_by_label("order.shipped").check()
        await page.get_by_role("button", name="Save").first.click()
        await expect(page.get_by_label("order.shipped")).to_be_checked()
        await page.get_by_role("button", name="Show the secret").click()
        secret = await page.get_by_text("whsec_").inner_text()
        await page.get_by_role("button", name="Send a test event").click()
        await until(lambda: _is(bool(receiver.arrived)), "the test event", deadline=END_S)
        assert receiver.verified(secret)

        async def is_dead() -> bool:
            await page.reload()
            return await page.locator(".badge.dead").count() == 1

        await until(is_dead, "the end of the delivery", deadline=END_S)
        await page.get_by_role("link", name="endpoint.test").click()
        await page.get_by_text("HTTP 400").first.click()
        await expect(page.get_by_text("document.title = 'hacked'").first).to_be_visible()
        await _is_narrow(page)
        receiver.answer = (204, b"")
        arrived = len(receiver.arrived)
        await page.get_by_role("button", name="Send again").click()
        await until(lambda: _is(len(receiver.arrived) > arrived), "the delivery", deadline=END_S)
        assert len({headers["webhook-id"] for headers, _ in receiver.arrived}) == 1

        await page.get_by_role("button", name="Leave").click()
        await expect(page.get_by_role("heading", name="Goodbye")).to_be_visible()
        await page.goto(link)
        await page.get_by_role("button", name="Open").click()
        await expect(page.get_by_text("A link can be opened once")).to_be_visible()
        assert not [text for text in said if "Content Security Policy" in text]


async def test_a_page_of_another_site_sends_no_form_of_the_portal(client: Client, browser: Browser) -> None:
    """In a real browser: the visitor has a session, and a stranger's page posts to it."""
    link = await _link(client)
    form = (
        f'<form method="post" action="{client.http.url}/portal/endpoints"><input name="csrf" value="x">'
        '<input name="url" value="https://evil.example/"><button>Win</button></form>'
    )
    app = web.Application()

    async def stranger(_: web.Request) -> web.Response:
        return web.Response(text=form, content_type="text/html")

    app.router.add_get("/", stranger)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        async with _visitor(browser) as (page, _):
            await _open(page, link)
            # Another name of the same machine is another site.
            await page.goto(f"http://localhost:{port}/")
            await page.get_by_role("button", name="Win").click()
            await expect(page.get_by_role("heading", name="That is not allowed")).to_be_visible()
    finally:
        await runner.cleanup()


async def test_a_code_is_not_told_to_anybody(client: Client) -> None:
    """The page of a link tells no other site its address, and nobody keeps it."""
    async with aiohttp.ClientSession() as session, session.get(await _link(client)) as answer:
        assert answer.headers["Referrer-Policy"] == "strict-origin"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in answer.headers
