"""Providers in the console: forms made from the kinds' metadata, order of failover, state and its reason, tests."""

import re
import uuid
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from checks.client import Client, Tenant
from tests.conftest import free_port
from tests.e2e.console.dialogs import open_dialog
from tests.e2e.console.visit import LOOKS, Visit
from tests.integration.senders.mail_servers import Catcher, serving
from tests.waiting import eventually

_MARKUP = '<img src=x onerror=alert(1)><b>"main" & co</b>'
_SMTP: dict[str, Any] = {"host": "127.0.0.1", "tls": "none", "from_email": "noreply@relay.example"}
# A breaker opens and closes, and the page asks every five seconds.
_STATE_MS = 30_000


async def _tenant(client: Client, **providers: tuple[str, dict[str, Any]]) -> Tenant:
    """Return a tenant of the test's own with these providers, by channel."""
    name = f"Lamps {uuid.uuid4().hex[:8]}"
    if providers:
        return await client.operator.create_tenant(name, providers=providers)
    made = await client.operator.must("POST", "/tenants", json={"name": name})
    return Tenant(client.http, made["id"], made["api_key"], name)


async def _providers(client: Client, tenant: Tenant) -> list[dict[str, Any]]:
    page = await client.operator.must("GET", f"/providers?tenant_id={tenant.id}")
    listed: list[dict[str, Any]] = page["data"]
    return listed


async def _send_test(page: Page, recipient: str) -> Locator:
    """Send a test with the open dialog; return the dialog."""
    dialog = open_dialog(page)
    await dialog.get_by_role("textbox").fill(recipient)
    await dialog.get_by_role("button", name="Send test").click()
    return dialog


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_a_tenant_without_providers_learns_the_next_step(visit: Visit, client: Client) -> None:
    """The sandbox first: added with one form, tried with one message, which the outbox has."""
    tenant, page = await _tenant(client, EMAIL=("sandbox", {})), visit.page
    (given,) = await _providers(client, tenant)
    await client.operator.call("DELETE", f"/providers/{given['id']}")
    await visit.open(f"/providers?tenant={tenant.id}", "Providers")
    await expect(page.get_by_role("heading", name="This tenant cannot send mail or text messages yet")).to_be_visible()
    await visit.assert_accessible()
    await page.get_by_role("link", name="Add the e-mail sandbox").click()
    await visit.settled("Add Sandbox")
    await visit.assert_accessible()
    await page.get_by_label("Name", exact=False).first.fill("Try-out")
    await page.get_by_role("button", name="Add provider").click()
    await visit.settled("Try-out")
    await expect(page.get_by_role("region", name="State")).to_contain_text("Not used yet")
    await visit.assert_well_formed()
    await page.get_by_role("button", name="Send a test").click()
    dialog = await _send_test(page, "ada@example.com")
    await expect(dialog).to_contain_text("The provider accepted the message")
    await visit.assert_accessible()
    outbox = await client.operator.must("GET", f"/tenants/{tenant.id}/outbox")
    assert [(one["recipient"], one["subject"]) for one in outbox["data"]] == [
        ("ada@example.com", "Test message from Clarion")
    ]


async def test_a_wrong_setting_stands_at_its_field(visit: Visit, client: Client) -> None:
    """Each fault below its field; what was entered stays; a stored secret is replaced only if something is typed."""
    tenant, page = await _tenant(client), visit.page
    visit.allow(r"status of 422")
    await visit.open(f"/providers/new?tenant={tenant.id}", "Add a provider")
    await page.get_by_role("link", name="SMTP server").click()
    await visit.settled("Add SMTP server")
    await page.get_by_label("Server", exact=True).fill("smtp.example.com")
    await page.get_by_label("Sender's address").fill("nobody")
    await page.get_by_label("Port").fill("99999999")
    await page.get_by_role("button", name="Add provider").click()
    await expect(page.get_by_role("alert")).to_contain_text("wrong: Port.")
    await expect(page.get_by_label("Port")).to_be_focused()
    port = page.get_by_label("Port")
    await expect(port).to_have_attribute("aria-invalid", "true")
    await expect(port).to_have_accessible_description(re.compile("must be a whole number from 1 to 65,535"))
    await visit.assert_accessible()
    await port.fill("587")
    await page.get_by_role("button", name="Add provider").click()
    await expect(page.get_by_label("Sender's address")).to_have_accessible_description(
        re.compile("This is not an e-mail address")
    )
    await page.get_by_label("Sender's address").fill("noreply@relay.example")
    await page.get_by_label("User name").fill("mailer")
    await page.get_by_label("Password").fill("correct-horse-battery")
    await page.get_by_label("Name", exact=False).first.fill(_MARKUP)
    await page.get_by_role("button", name="Add provider").click()
    await visit.settled(_MARKUP)
    assert await page.locator("b, img[src=x]").count() == 0
    assert "correct-horse" not in await page.content()
    await expect(page.get_by_label("Password", exact=False).first).to_have_accessible_description(re.compile("…tery"))
    await page.get_by_label("Sender's name").fill("Lamps")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("The settings are saved")).to_be_visible()
    (stored,) = await _providers(client, tenant)
    assert (stored["settings"]["from_name"], stored["settings"]["password"]) == ("Lamps", "…tery")
    await page.get_by_label("Password", exact=False).first.fill("another-horse-stable")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_label("Password", exact=False).first).to_have_accessible_description(re.compile("…able"))


async def test_the_order_is_changed_with_keyboard_and_mouse(visit: Visit, client: Client) -> None:
    """Arrow keys on the handle, said to screen readers; the focus stays on the provider; dragging does the same."""
    tenant, page = await _tenant(client), visit.page
    for name in ("first", "second", "third"):
        body = {"tenant_id": tenant.id, "channel": "SMS", "kind": "sandbox", "name": name, "priority": 0}
        await client.operator.must("POST", "/providers", json=body)
    names = [one["name"] for one in await _providers(client, tenant)]
    await visit.open(f"/providers?tenant={tenant.id}", "Providers")
    handle = page.get_by_role("button", name=f"Move {names[0]}", exact=True)
    await handle.focus()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_text(f"{names[0]} is now at place 3 of 3.")).to_have_count(1)
    await expect(handle).to_be_focused()

    async def order_is(*wanted: str) -> bool:
        return [one["name"] for one in await _providers(client, tenant)] == list(wanted)

    await eventually(lambda: order_is(names[1], names[2], names[0]))
    await visit.assert_accessible()
    rows = page.get_by_role("listitem").filter(has=page.get_by_role("button", name=re.compile("^Move ")))
    await handle.drag_to(rows.first)
    await eventually(lambda: order_is(names[0], names[1], names[2]))
    await expect(rows.first).to_contain_text(names[0])


async def test_an_order_that_somebody_else_changed_is_loaded_again(visit: Visit, client: Client) -> None:
    """The page says so, and shows the other's order; nothing of it is undone."""
    tenant, page = await _tenant(client), visit.page
    visit.allow(r"status of 409")
    for name in ("first", "second"):
        body = {"tenant_id": tenant.id, "channel": "SMS", "kind": "sandbox", "name": name}
        await client.operator.must("POST", "/providers", json=body)
    before = await _providers(client, tenant)
    await visit.open(f"/providers?tenant={tenant.id}", "Providers")
    ids = [one["id"] for one in before][::-1]
    await client.operator.must(
        "PUT", f"/tenants/{tenant.id}/provider-order", json={"channel": "SMS", "provider_ids": ids}
    )
    await page.get_by_role("button", name=f"Move {before[0]['name']} down").click()
    await expect(page.get_by_text("Somebody has changed the order meanwhile").first).to_be_visible()
    rows = page.get_by_role("listitem").filter(has=page.get_by_role("button", name=re.compile("^Move ")))
    await expect(rows.first).to_contain_text(before[1]["name"])
    assert [one["id"] for one in await _providers(client, tenant)] == ids


async def test_a_broken_provider_says_why_until_it_is_fixed(visit: Visit, client: Client) -> None:
    """Messages fail: paused, with the reason and what to do. A test says the same. With the right port: working."""
    dead = free_port()
    tenant, page = await _tenant(client, EMAIL=("smtp", {**_SMTP, "port": dead})), visit.page
    (provider,) = await _providers(client, tenant)
    await client.operator.create_template(tenant, "order.shipped", "EMAIL", "<p>Hello</p>", subject="Hello")
    event = {"eventType": "order.shipped", "payload": {"userId": "u1", "recipientEmail": "ada@example.com"}}
    for number in range(4):
        await tenant.accept({**event, "variables": {"number": number}})
    await visit.open(f"/providers?tenant={tenant.id}", "Providers")
    row = page.get_by_role("listitem").filter(has=page.get_by_role("link", name="smtp"))
    await expect(row).to_contain_text("Paused", timeout=_STATE_MS)
    await expect(row).to_contain_text("No connection to the provider was possible.")
    await visit.assert_accessible()
    await row.get_by_role("link", name="smtp").click()
    await visit.settled("smtp")
    state = page.get_by_role("region", name="State")
    await expect(state).to_contain_text("Check the provider's host and port")
    await page.get_by_role("button", name="Send a test").click()
    dialog = await _send_test(page, "ada@example.com")
    await expect(dialog).to_contain_text("Not sent. No connection to the provider was possible.")
    await page.keyboard.press("Escape")
    catcher = Catcher()
    async with serving(catcher) as port:
        await page.get_by_label("Port").fill(str(port))
        await page.get_by_role("button", name="Save").click()
        await expect(state).to_contain_text("Working", timeout=_STATE_MS)
        await page.get_by_role("button", name="Send a test").click()
        dialog = await _send_test(page, "ada@example.com")
        await expect(dialog).to_contain_text("The provider accepted the message")
    assert ["ada@example.com"] in [envelope.rcpt_tos for envelope in catcher.envelopes]
    answer = await client.operator.must("GET", f"/providers/{provider['id']}/state")
    assert (answer["state"], answer["since"], answer["last_failure"]["reason"]) == (
        "closed",
        None,
        "provider_unreachable",
    )


async def test_a_provider_shows_its_callback_and_is_deleted_by_name(visit: Visit, client: Client) -> None:
    """The URL to copy, what to do with it at the vendor, and what is missing; then it is gone."""
    settings = {"api_key": "re_123456789012", "from_email": "a@acorn.example"}
    tenant, page = await _tenant(client, EMAIL=("resend", settings)), visit.page
    (provider,) = await _providers(client, tenant)
    await visit.open(f"/providers/{provider['id']}?tenant={tenant.id}", "resend")
    reports = page.get_by_role("region", name="Delivery reports")
    await expect(reports).to_contain_text(f"/callbacks/{provider['id']}/")
    await expect(reports).to_contain_text("Reports are refused until “Signing secret of the webhook” is entered")
    await reports.get_by_role("button", name="Copy the callback URL").click()
    assert f"/callbacks/{provider['id']}/" in await page.evaluate("navigator.clipboard.readText()")
    await page.get_by_role("button", name="Delete provider").click()
    dialog = open_dialog(page)
    await expect(dialog.get_by_role("button", name="Delete provider")).to_be_disabled()
    await dialog.get_by_label("Type resend to confirm").fill("resend")
    await dialog.get_by_role("button", name="Delete provider").click()
    await visit.settled("Providers")
    assert await _providers(client, tenant) == []
