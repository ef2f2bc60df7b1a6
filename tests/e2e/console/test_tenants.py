"""Tenants in the console: created, changed, given keys and secrets, deactivated; by mouse and by keyboard."""

import itertools
import re
import shlex
import uuid

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from checks.client import Client, Tenant
from tests.e2e.console.conftest import OpenVisit
from tests.e2e.console.visit import LOOKS, Visit
from tests.waiting import eventually

_MARKUP = '<img src=x onerror=alert(1)><b>"Ada" & co</b>'


@pytest_asyncio.fixture(loop_scope="session")
async def tenant(client: Client) -> Tenant:
    """A tenant of the test's own."""
    return await client.operator.create_tenant(f"Lamps {uuid.uuid4().hex[:8]}")


async def _run_curl(page: Page) -> int:
    """Send the request of the command that the open dialog shows; return the status of its response."""
    command = await page.get_by_role("dialog").locator("pre").text_content() or ""
    words = shlex.split(command.replace("\\\n", " "))
    headers = dict(word.split(": ", 1) for before, word in itertools.pairwise(words) if before == "-H")
    async with aiohttp.request("POST", words[2], headers=headers, data=words[words.index("-d") + 1]) as answer:
        return answer.status


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_a_tenant_is_created_and_its_key_works(visit: Visit, client: Client) -> None:
    """The key is shown once, with a command that sends a notification; then the tenant's page opens."""
    page, name = visit.page, f"Walnut {uuid.uuid4().hex[:8]}"
    await visit.open("/tenants", "Tenants")
    await page.get_by_role("button", name="New tenant").click()
    form = page.get_by_role("dialog", name="New tenant")
    await form.get_by_label("Name", exact=True).fill(name)
    await form.get_by_label("Sender address").fill("hello@walnut.example")
    await form.get_by_label("E-mail").check()
    await form.get_by_label("Push", exact=True).check()
    await visit.assert_accessible()
    await form.get_by_role("button", name="Create tenant").click()
    shown = page.get_by_role("dialog", name="New API key")
    await expect(shown).to_be_visible()
    await visit.assert_accessible()
    assert await _run_curl(page) == 200
    key = await shown.locator("code").first.text_content() or ""
    inbox = shown.get_by_role("link", name="the inbox of “demo” in this tenant")
    async with page.context.expect_page() as opened:
        await inbox.click()
    arrived = await opened.value
    await expect(arrived.get_by_text("Sent with a new API key.")).to_be_visible()
    await arrived.close()
    await shown.get_by_role("button", name="Copy API key").click()
    assert await page.evaluate("navigator.clipboard.readText()") == key
    await shown.get_by_role("button", name="I have copied it").click()
    await visit.settled(name)
    await visit.assert_well_formed()
    assert key not in await page.content()
    made = await client.operator.must("GET", f"/tenants/{page.url.rpartition('/')[2].partition('?')[0]}")
    assert (made["name"], made["sender_email"]) == (name, "hello@walnut.example")
    assert made["delivery_channels"] == ["EMAIL", "PUSH"]


async def test_a_wrong_field_says_what_is_wrong(visit: Visit, tenant: Tenant) -> None:
    """Beside the field, in the words of the API; nothing is lost, and the corrected form is saved."""
    visit.allow("status of 422")
    page = visit.page
    await visit.open(f"/tenants/{tenant.id}/settings", tenant.name)
    address = page.get_by_label("Sender address")
    await address.fill("a..b@example.com")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(address).to_have_attribute("aria-invalid", "true")
    await expect(address).to_be_focused()
    await expect(address).to_be_in_viewport()
    await expect(page.get_by_role("alert")).to_contain_text("sender_email")
    await address.fill("ada@example.com")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_text("Saved.").first).to_be_visible()
    await page.reload()
    await expect(address).to_have_value("ada@example.com")


async def test_limits_are_changed_one_by_one(visit: Visit, client: Client, tenant: Tenant) -> None:
    """What was not touched is not sent: limits that the API set stay."""
    await client.operator.must(
        "PATCH", f"/tenants/{tenant.id}", json={"rates": [{"window_s": 3600, "bound": 7, "kind": "fixed"}]}
    )
    page = visit.page
    await visit.open(f"/tenants/{tenant.id}/settings", tenant.name)
    await expect(page.get_by_text("7 in 3600 s")).to_be_visible()
    save = page.get_by_role("button", name="Save limits")
    await expect(save).to_be_disabled()
    await page.get_by_label("Segments of a text message").fill("3")
    await save.click()
    await expect(page.get_by_text("Saved.").first).to_be_visible()
    await expect(save).to_be_disabled()
    changed = await client.operator.must("GET", f"/tenants/{tenant.id}")
    assert (changed["max_sms_segments"], changed["rates"][0]["bound"]) == (3, 7)


async def test_sizes_are_shown_and_entered_in_their_units(visit: Visit, client: Client, tenant: Tenant) -> None:
    """Bytes on hover. What was not touched keeps its exact number, also where it is no whole unit."""
    await client.operator.must("PATCH", f"/tenants/{tenant.id}", json={"max_unfinished_bytes": 34_000_001})
    page = visit.page
    await visit.open(f"/tenants/{tenant.id}/settings", tenant.name)
    size = page.get_by_label("Size of one event (KiB)")
    await expect(size).to_have_value("256")
    await expect(size).to_have_attribute("title", "262,144 bytes")
    await expect(page.get_by_label("Size of unfinished events (MiB)")).to_have_attribute("title", "34,000,001 bytes")
    await size.fill("64")
    await page.get_by_role("button", name="Save limits").click()
    await expect(page.get_by_text("Saved.").first).to_be_visible()
    changed = await client.operator.must("GET", f"/tenants/{tenant.id}")
    assert (changed["max_payload_bytes"], changed["max_unfinished_bytes"]) == (65_536, 34_000_001)


async def test_a_key_is_created_disabled_and_revoked_by_name(visit: Visit, client: Client, tenant: Tenant) -> None:
    """A disabled key is refused, an enabled one accepted; revoking asks for its name."""
    page = visit.page
    await visit.open(f"/tenants/{tenant.id}/keys", tenant.name)
    await page.get_by_role("button", name="New key").first.click()
    form = page.get_by_role("dialog", name="New API key")
    await form.get_by_label("Name").fill(_MARKUP)
    await form.get_by_role("button", name="Create key").click()
    shown = page.get_by_role("dialog", name="New API key").filter(has_text="I have copied it")
    await expect(shown).to_be_visible()
    key = Tenant(tenant.http, tenant.id, await shown.locator("code").first.text_content() or "")
    assert await _run_curl(page) == 200
    await page.keyboard.press("Escape")
    row = page.get_by_role("row").filter(has_text="<img")
    await expect(row).to_contain_text("works")

    event = {"eventType": "global.info", "channels": ["PUSH"], "payload": {"userId": "u"}, "variables": {"title": "t"}}
    actions = page.get_by_role("button", name=f"Actions for the key {_MARKUP}")
    await actions.click()
    await page.get_by_role("menuitem", name="Disable key").click()
    await expect(row).to_contain_text("disabled")
    assert (await key.trigger(event)).status == 401
    await actions.click()
    await page.get_by_role("menuitem", name="Enable key").click()
    await expect(row).to_contain_text("works")
    assert (await key.trigger(event)).status == 200

    await actions.click()
    await page.get_by_role("menuitem", name="Revoke key").click()
    question = page.get_by_role("dialog", name="Revoke the key")
    await expect(question.get_by_role("button", name="Revoke key")).to_be_disabled()
    await visit.assert_accessible()
    await question.get_by_role("textbox").fill(_MARKUP)
    await question.get_by_role("button", name="Revoke key").click()
    await expect(question).to_have_count(0)  # a dialog hides the page behind it from screen readers, and from roles
    await expect(row).to_have_count(0)
    assert (await key.trigger(event)).status == 401


async def test_the_webhook_secret_is_set_rotated_and_deleted(visit: Visit, client: Client, tenant: Tenant) -> None:
    """Shown once each time; while one is set, unsigned events are refused."""
    page = visit.page
    event = {"eventType": "global.info", "channels": ["PUSH"], "payload": {"userId": "u"}, "variables": {"title": "t"}}
    await visit.open(f"/tenants/{tenant.id}/security", tenant.name)
    secrets = []
    for button, action in (("Set a secret", "Set the secret"), ("Rotate the secret", "Rotate")):
        await page.get_by_role("button", name=button).click()
        await page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()
        shown = page.get_by_role("dialog", name="New webhook secret")
        secrets.append(await shown.locator("code").first.text_content())
        await shown.get_by_role("button", name="I have copied it").click()
        await expect(page.get_by_role("dialog")).to_have_count(0)
    assert len(set(secrets)) == 2
    await expect(page.get_by_role("table", name="Valid secrets").get_by_role("row")).to_have_count(3)
    assert (await tenant.trigger(event)).status == 401
    await page.get_by_role("button", name="Accept unsigned events").click()
    await page.get_by_role("dialog").get_by_role("textbox").fill(tenant.name)
    await page.get_by_role("dialog").get_by_role("button", name="Delete the secrets").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("table", name="Valid secrets")).to_have_count(0)
    assert (await tenant.trigger(event)).status == 200


async def test_retention_is_set_and_reset(visit: Visit, client: Client, tenant: Tenant) -> None:
    """An empty field is the installation's default."""
    page = visit.page
    await visit.open(f"/tenants/{tenant.id}/retention", tenant.name)
    content = page.get_by_label("Content")
    for text, expected in (("7", 7), ("", None)):
        await content.fill(text)
        async with page.expect_response("**/retention") as answer:
            await page.get_by_role("button", name="Save").click()
        assert (await (await answer.value).json())["payload_days"] == expected
    await page.reload()
    await expect(content).to_have_value("")
    # What "default" means here.
    for label, days in (("Events", 90), ("Content", 30), ("Inboxes", 90), ("Outbox", 7)):
        await expect(page.get_by_label(label)).to_have_attribute("placeholder", f"default: {days} days")


async def test_environments_are_created_renamed_and_deleted(visit: Visit, tenant: Tenant) -> None:
    """Deleting asks for the slug."""
    page = visit.page
    await visit.open(f"/tenants/{tenant.id}/environments", tenant.name)
    await page.get_by_role("button", name="New environment").first.click()
    await page.get_by_role("dialog").get_by_label("Name").fill("Staging")
    await page.get_by_role("dialog").get_by_label("Slug").fill("staging")
    await page.get_by_role("dialog").get_by_role("button", name="Create").click()
    row = page.get_by_role("row").filter(has_text="staging")
    await expect(row).to_contain_text("Staging")
    await page.get_by_role("button", name="Rename Staging").click()
    await page.get_by_role("dialog").get_by_label("Name").fill("Rehearsal")
    await page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    await expect(row).to_contain_text("Rehearsal")
    await page.get_by_role("button", name="Delete Rehearsal").click()
    await page.get_by_role("dialog").get_by_role("textbox").fill("staging")
    question = page.get_by_role("dialog", name="Delete Rehearsal?")
    await question.get_by_role("button", name="Delete").click()
    await expect(question).to_have_count(0)
    await expect(row).to_have_count(0)


async def test_a_tenant_is_deactivated_by_name_and_activated_by_keyboard(visit: Visit, tenant: Tenant) -> None:
    """Everything by keys alone. The focus goes into the question and comes back."""
    page = visit.page
    event = {"eventType": "global.info", "channels": ["PUSH"], "payload": {"userId": "u"}, "variables": {"title": "t"}}
    await visit.open(f"/tenants/{tenant.id}", tenant.name)
    button = page.get_by_role("button", name="Deactivate this tenant")
    await button.focus()
    await page.keyboard.press("Enter")
    question = page.get_by_role("dialog")
    await expect(question).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(question).to_have_count(0)
    await expect(button).to_be_focused()
    await page.keyboard.press("Enter")
    await question.get_by_role("textbox").focus()
    await page.keyboard.type(tenant.name)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("deactivated")
    assert (await tenant.trigger(event)).status == 401
    await page.get_by_role("button", name="Activate this tenant").press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(f"^{tenant.name}\\s*$"))
    assert (await tenant.trigger(event)).status == 200


async def test_what_does_not_exist_says_so(visit: Visit) -> None:
    """A tenant that is not there, and a malformed id."""
    visit.allow("status of (404|422)")
    await visit.open(f"/tenants/{uuid.uuid4()}", "Not found")
    await visit.assert_well_formed()
    await visit.page.get_by_role("link", name="Go to Messages").click()
    await visit.settled("Messages")


async def test_without_a_session_people_are_asked_to_sign_in(open_visit: OpenVisit, tenant: Tenant) -> None:
    """And nothing of the tenant is shown."""
    async with open_visit(token="") as visit:
        visit.allow("status of 401")
        await visit.open(f"/tenants/{tenant.id}")
        await expect(visit.page).to_have_url(re.compile("/console/sign-in"))
        assert tenant.name not in await visit.page.content()


async def test_the_colors_are_kept(visit: Visit) -> None:
    """Chosen under Settings, and the same after a reload."""
    page = visit.page
    await visit.open("/settings", "Settings")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(ground)
    await page.get_by_label("Colors").select_option("dark")
    dark = await page.evaluate(ground)
    assert light != dark
    await page.reload()
    await visit.settled("Settings")
    assert await page.evaluate(ground) == dark


async def test_a_tenant_has_alerts_of_its_own(visit: Visit, client: Client) -> None:
    """Their recipients are set on the tenant's page, a wrong line is named, and a test alert arrives."""
    visit.allow("status of 422")
    tenant = await client.operator.create_tenant(f"Alerted {uuid.uuid4().hex[:8]}")
    page = visit.page
    await visit.open(f"/tenants/{tenant.id}/settings", tenant.name)
    card = page.get_by_role("region", name="Alerts")
    people = card.get_by_label("Recipients of alerts")
    await people.fill("nobody@@example.com")
    await card.get_by_role("button", name="Save the alerts").click()
    await expect(people).to_have_attribute("aria-invalid", "true")
    await expect(card.get_by_text("Line 1 must be an e-mail address")).to_be_visible()
    await people.fill("walnut@example.com")
    await card.get_by_role("checkbox", name="Endpoints", exact=True).uncheck()
    await card.get_by_role("button", name="Save the alerts").click()
    await visit.assert_accessible()
    await card.get_by_role("button", name="Send a test alert").click()

    async def arrived() -> bool:
        mails = (await client.operator.must("GET", f"/tenants/{tenant.id}/outbox"))["data"]
        return [(mail["recipient"], mail["subject"]) for mail in mails] == [("walnut@example.com", "Test alert")]

    assert await eventually(arrived, 60, every=0.5)
    saved = await client.operator.must("GET", f"/tenants/{tenant.id}/alerts")
    assert saved == {"recipients": ["walnut@example.com"], "kinds": ["provider"], "endpoints": False}
