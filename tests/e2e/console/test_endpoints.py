"""Endpoints in the console: from the event type to a verified message, what fails and why, sending again."""

import json
import re
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from checks.client import Client, Tenant
from tests.e2e.console.dialogs import close_notices, open_dialog
from tests.e2e.console.visit import LOOKS, Visit
from tests.e2e.webhook_receiver import Receiver, receiving
from tests.waiting import eventually

_MARKUP = "<img src=x onerror=alert(1)><b>answer</b>"
_STATE_MS = 30_000


@pytest_asyncio.fixture(loop_scope="session")
async def receiver() -> AsyncIterator[Receiver]:
    """A server on loopback."""
    async with receiving() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def tenant(client: Client) -> Tenant:
    """A tenant of the test's own."""
    return await client.operator.create_tenant(f"Lamps {uuid.uuid4().hex[:8]}")


async def _endpoint(client: Client, tenant: Tenant, url: str, description: str = "Shop") -> str:
    """Return a new endpoint that subscribes to order.shipped."""
    base = f"/tenants/{tenant.id}"
    await client.operator.must("POST", f"{base}/event-types", json={"name": "order.shipped"})
    made = await client.operator.must("POST", f"{base}/endpoints", json={"url": url, "description": description})
    body = {"event_types": ["order.shipped"]}
    await client.operator.must("POST", f"{base}/endpoints/{made['id']}/subscriptions", json=body)
    return str(made["id"])


def _event(**variables: object) -> dict[str, object]:
    return {"eventType": "order.shipped", "payload": {"userId": "u1"}, "variables": variables}


async def _subscribe_with_filter(visit: Visit) -> None:
    """Subscribe the endpoint in sight to order.shipped with a total over 100; both samples are checked."""
    page = visit.page
    await close_notices(page)
    await page.get_by_role("button", name="Subscribe to event types").click()
    dialog = open_dialog(page)
    await dialog.get_by_label("order.shipped").check()
    await dialog.get_by_label("Filter").fill('{">": [{"var": "payload.total"}, 100]}')
    await dialog.get_by_label("Sample payload").fill('{"total": 99}')
    await dialog.get_by_role("button", name="Check against the sample").click()
    await expect(dialog).to_contain_text("Would be left out")
    await dialog.get_by_label("Sample payload").fill('{"total": 101}')
    await dialog.get_by_role("button", name="Check against the sample").click()
    await expect(dialog).to_contain_text("Would be sent")
    await visit.assert_accessible()
    await dialog.get_by_role("button", name="Subscribe", exact=True).click()
    await expect(page.get_by_role("cell", name=re.compile("payload.total"))).to_be_visible()


async def _shown_secret(page: Page) -> str:
    """Reveal the secret of the endpoint in sight, close it again, and return it."""
    await page.get_by_role("button", name="Show secret …").click()
    await open_dialog(page).get_by_role("button", name="Show secret").click()
    shown = page.get_by_role("dialog", name="The signing secret")
    secret = await shown.locator("code").text_content() or ""
    await shown.get_by_role("button", name="Close").click()
    return secret


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_an_endpoint_gets_its_webhook(visit: Visit, client: Client, tenant: Tenant, receiver: Receiver) -> None:
    """Types that exist and that were sent, endpoint, filter, secret, event: verified by the receiver; its answer."""
    page = visit.page
    await tenant.accept(_event(total=0))  # its name is offered when the endpoint subscribes
    await visit.open(f"/endpoints/event-types?tenant={tenant.id}", "Event types")
    await page.get_by_role("button", name="Create an event type").first.click()
    dialog = open_dialog(page)
    await dialog.get_by_label("Name").fill("order.returned")
    await visit.assert_accessible()
    await dialog.get_by_role("button", name="Create event type").click()
    await expect(page.get_by_role("cell", name="order.returned", exact=False).first).to_be_visible()
    await page.get_by_role("navigation", name="Webhooks").get_by_role("link", name="Endpoints").click()
    await visit.settled("Endpoints")
    await page.get_by_role("link", name="Create an endpoint").first.click()
    await visit.settled("Create an endpoint")
    await visit.assert_accessible()
    await page.get_by_label("URL").fill(receiver.url)
    await page.get_by_label("Description").fill("Shop")
    await page.get_by_role("button", name="Create endpoint").click()
    await visit.settled("Shop")
    await _subscribe_with_filter(visit)
    secret = await _shown_secret(page)
    await tenant.accept(_event(total=50))
    await tenant.accept(_event(total=150))

    async def arrived() -> bool:
        return len(receiver.arrived) == 1

    await eventually(arrived)
    assert receiver.verified(secret) == [{"total": 150}]
    assert secret not in await page.content()
    await page.get_by_role("tab", name="Deliveries").click()
    await expect(page.get_by_text("The filter of the endpoint's subscription does not match")).to_be_visible()
    await page.get_by_role("button", name="Refresh").click()
    await page.get_by_role("row").filter(has_text="sent").get_by_role("link").click()
    dialog = open_dialog(page)
    await expect(dialog.get_by_role("list", name="Attempts")).to_contain_text("HTTP 204")
    await visit.assert_accessible()
    await page.keyboard.press("Escape")
    await page.get_by_role("tab", name="Receiver").click()
    await expect(page.get_by_role("tabpanel", name="Python", exact=True)).to_contain_text("standardwebhooks")
    await expect(page.get_by_text("neither the body nor a header names the event type")).to_be_visible()
    await visit.assert_accessible()
    await visit.assert_well_formed()


async def test_a_failing_endpoint_says_why_and_is_sent_to_again(
    visit: Visit, client: Client, tenant: Tenant, receiver: Receiver
) -> None:
    """Down with its reason, what waits, the receiver's answer as text; repaired and probed: everything arrives."""
    page = visit.page
    receiver.answer = (500, _MARKUP.encode())
    endpoint = await _endpoint(client, tenant, receiver.url)
    for number in range(6):
        await tenant.accept(_event(number=number))
    await visit.open(f"/endpoints?tenant={tenant.id}", "Endpoints")
    await expect(page.get_by_role("row").filter(has_text="Shop")).to_contain_text("Shop")
    await page.get_by_role("link", name="Shop").click()
    await visit.settled("Shop")
    state = page.get_by_role("region", name="State")
    await expect(state).to_contain_text("Down", timeout=_STATE_MS)
    await expect(state).to_contain_text("The endpoint answered with another status than 2xx")
    await page.get_by_role("link", name="order.shipped").first.click()
    dialog = open_dialog(page)
    await dialog.get_by_text("Answer of the receiver").first.click()
    await expect(dialog).to_contain_text(_MARKUP)
    assert await page.locator("img[src=x]").count() == 0
    await page.keyboard.press("Escape")
    await page.get_by_role("tab", name="Waiting").click()
    await expect(page.get_by_role("table", name=re.compile("Waiting messages"))).to_be_visible()
    await visit.assert_accessible()
    receiver.answer = (204, b"")
    receiver.arrived.clear()
    visit.allow(r"status of 404 .*/attempts")  # the ledger reads of the delivery a moment later
    await close_notices(page)
    await page.get_by_role("button", name="Send a test event").click()
    await expect(page.get_by_text("A test event is queued")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Send a waiting message now").click()

    async def all_arrived() -> bool:
        return {json.loads(body).get("number") for _, body in receiver.arrived} >= set(range(6))

    await eventually(all_arrived, deadline=60)
    await expect(state).to_contain_text("Working", timeout=_STATE_MS)
    await expect(state).to_contain_text("Messages are sent.")
    shown = await client.operator.must("GET", f"/tenants/{tenant.id}/endpoint-states?endpoint_ids={endpoint}")
    assert [(one["state"], one["parked"]) for one in shown["data"]] == [("closed", 0)]


async def test_a_secret_is_replaced_and_an_endpoint_disabled_and_deleted(
    visit: Visit, client: Client, tenant: Tenant, receiver: Receiver
) -> None:
    """With an overlap: two secrets are valid. Disabled: said with its reason. Deleted only by its name."""
    page = visit.page
    endpoint = await _endpoint(client, tenant, receiver.url)
    await visit.open(f"/endpoints/{endpoint}?tenant={tenant.id}", "Shop")
    await page.get_by_role("button", name="Replace secret").click()
    dialog = open_dialog(page)
    await dialog.get_by_label("Earlier secrets stay valid for").select_option("one hour")
    await dialog.get_by_role("button", name="Replace secret").click()
    await page.get_by_role("dialog", name="The signing secret").get_by_role("button", name="Close").click()
    secrets = page.get_by_role("region", name="Signing secret")
    await expect(secrets.get_by_role("listitem")).to_have_count(2)
    await expect(secrets).to_contain_text("valid until")
    await page.get_by_role("button", name="Disable endpoint").click()
    await open_dialog(page).get_by_role("button", name="Disable endpoint").click()
    await expect(page.get_by_role("region", name="State")).to_contain_text("A person or a program disabled it.")
    await page.get_by_role("button", name="Enable endpoint").click()
    await expect(page.get_by_role("button", name="Disable endpoint")).to_be_visible()
    await page.get_by_role("button", name="Delete endpoint").click()
    dialog = open_dialog(page)
    await expect(dialog.get_by_role("button", name="Delete endpoint")).to_be_disabled()
    await dialog.get_by_label("Type Shop to confirm").fill("Shop")
    await dialog.get_by_role("button", name="Delete endpoint").click()
    await visit.settled("Endpoints")
    listed = await client.operator.must("GET", f"/tenants/{tenant.id}/endpoints")
    assert listed["data"] == []


async def test_a_wrong_filter_is_refused_with_its_reason(visit: Visit, client: Client, tenant: Tenant) -> None:
    """What is no JSON cannot be saved; what is no rule is refused by the engine, before it is stored."""
    page = visit.page
    visit.allow(r"status of 422")
    endpoint = await _endpoint(client, tenant, "https://shop.example.com/hooks")
    await visit.open(f"/endpoints/{endpoint}?tenant={tenant.id}&tab=subscriptions", "Shop")
    await page.get_by_role("button", name="Add a filter of order.shipped").click()
    dialog = open_dialog(page)
    await dialog.get_by_label("Filter").fill('{">": ')
    await expect(dialog).to_contain_text("This is not JSON")
    await expect(dialog.get_by_role("button", name="Save filter")).to_be_disabled()
    await dialog.get_by_label("Filter").fill('{"no_such_operator": [1]}')
    await dialog.get_by_role("button", name="Check against the sample").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("no_such_operator")


async def test_a_private_address_is_refused_with_the_way_to_allow_it(visit: Visit, tenant: Tenant) -> None:
    """At the field, with the command for development; a public address is accepted after that."""
    page = visit.page
    visit.allow(r"status of 422")
    await visit.open(f"/endpoints/new?tenant={tenant.id}", "Create an endpoint")
    url = page.get_by_label("URL")
    await url.fill("https://10.0.0.1/hooks")
    await page.get_by_role("button", name="Create endpoint").click()
    await expect(url).to_have_accessible_description(re.compile("is not a public address"))
    await expect(page.get_by_text("CLARION_EGRESS_WEBHOOK_ALLOW='127.0.0.1:*' make run")).to_be_visible()
    await visit.assert_accessible()
    await url.fill("https://shop.example.com/hooks")
    await page.get_by_role("button", name="Create endpoint").click()
    await visit.settled("https://shop.example.com/hooks")
    await page.get_by_role("tab", name="Deliveries").click()
    await expect(page.get_by_role("button", name="Send failed deliveries again")).to_be_visible()
    await page.get_by_role("button", name="Send earlier events").click()
    dialog = open_dialog(page)
    await expect(dialog.get_by_role("button", name="Send them")).to_be_enabled()


async def test_an_application_gets_its_link_to_the_portal(visit: Visit, client: Client, tenant: Tenant) -> None:
    """Created, linked to, deleted by name."""
    page = visit.page
    await visit.open(f"/endpoints/applications?tenant={tenant.id}", "Applications")
    await page.get_by_role("button", name="Create an application").first.click()
    dialog = open_dialog(page)
    await dialog.get_by_label("Name").fill("Walnut")
    await dialog.get_by_role("button", name="Create application").click()
    await page.get_by_role("button", name="Make a link to the portal … of Walnut").click()
    dialog = open_dialog(page)
    await dialog.get_by_role("button", name="Make a link").click()
    await expect(dialog).to_contain_text("/portal/open/")
    await visit.assert_accessible()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Delete Walnut").click()
    dialog = open_dialog(page)
    await dialog.get_by_label("Type Walnut to confirm").fill("Walnut")
    await dialog.get_by_role("button", name="Delete application").click()
    await expect(page.get_by_role("heading", name="This tenant has no application yet")).to_be_visible()
