"""One recipient's page in the console, and suppressions."""

import json
import re
import uuid

import pytest
from playwright.async_api import expect

from tests.e2e.console.visit import LOOKS, Visit
from tests.e2e.console.world import MARKUP, SHOWN, World, assert_text_only, region


async def test_a_recipients_link_without_a_tenant_finds_theirs(visit: Visit, world: World) -> None:
    """If only one tenant knows the id; else the person chooses."""
    user_id = f"grace-{uuid.uuid4().hex[:8]}"
    await world.must("PUT", f"/tenants/{world.tenant.id}/recipients/{user_id}", {"name": "Grace"})
    page = visit.page
    await visit.open(f"/recipients/{user_id}", user_id)
    await expect(region(page, "Stored")).to_contain_text("Grace")
    await expect(page).to_have_url(re.compile(f"tenant={world.tenant.id}"))
    await visit.open("/recipients/nobody-at-all", "nobody-at-all")
    await expect(page.get_by_role("heading", name="Choose a tenant")).to_be_visible()


async def test_links_without_a_tenant_find_what_they_name(visit: Visit, world: World) -> None:
    """A workflow and its versions, a segment, a schedule, an import; a tenant that does not have it leads there."""
    visit.allow("status of 404")
    base, uploads = f"/tenants/{world.tenant.id}", {"file_name": "people.csv"}
    send = {"id": "a", "kind": "send", "channel": "EMAIL", "template": {"key": "note"}}
    flow = {"name": "Welcome", "event_type": "joined", "document": {"steps": [send]}}
    rule = {"key": "gold", "name": "Gold", "filter": {"field": "tags", "op": "has_any", "value": ["gold"]}}
    weekly = {
        "name": "Weekly",
        "cron": "0 9 * * MON",
        "event": {"event_type": "note", "audience": [{"everybody": True}]},
    }
    bodies = {"workflows": flow, "segments": rule, "schedules": weekly, "imports": uploads}
    ids = {kind: (await world.must("POST", f"{base}/{kind}", body))["id"] for kind, body in bodies.items()}
    paths = [f"/{kind}/{found}" for kind, found in ids.items()]
    page = visit.page
    for path in (*paths, f"{paths[0]}/versions", f"/triggers/new?workflow={ids['workflows']}"):
        await visit.open(path)
        await expect(page).to_have_url(re.compile(f"tenant={world.tenant.id}"))
    await expect(page.get_by_label("Event type")).to_have_value("joined")
    other = await world.client.operator.create_tenant(f"Hazel {uuid.uuid4().hex[:8]}")
    for path in paths:
        await visit.open(f"{path}?tenant={other.id}", "Not found")
        await page.get_by_role("link", name="Look for it in all tenants").click()
        await expect(page).to_have_url(re.compile(f"tenant={world.tenant.id}"))
    await visit.settled("Import of people.csv waits for its file")


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_one_recipients_page(visit: Visit, world: World) -> None:
    """What is stored of them, what they got, their inbox, suppressions of their addresses."""
    stored = {"email": "ada@example.com", "name": MARKUP, "tags": ["vip"], "data": {"plan": MARKUP}}
    await world.must("PUT", f"/tenants/{world.tenant.id}/recipients/ada", stored)
    await world.must(
        "POST", "/suppressions", {"tenant_id": world.tenant.id, "channel": "EMAIL", "address": "ada@example.com"}
    )
    await world.send()
    page = visit.page
    await visit.open(f"/recipients?tenant={world.tenant.id}", "Recipients")
    await visit.assert_well_formed()
    await visit.assert_accessible()
    await page.get_by_role("table").get_by_role("link", name="ada", exact=True).click()
    await visit.settled("ada")
    await expect(region(page, "Stored")).to_contain_text(SHOWN)
    await expect(region(page, "What they got").get_by_role("link", name="note")).to_be_visible()
    await expect(region(page, "Inbox")).to_contain_text("unread")
    await expect(region(page, "Suppressions of their addresses")).to_contain_text("manual")
    await assert_text_only(visit)
    await visit.assert_well_formed()
    await visit.assert_accessible()


async def test_a_recipient_is_exported_and_erased_by_typing_the_id(visit: Visit, world: World) -> None:
    """The file holds what was sent; afterwards nothing is left."""
    visit.allow("status of 404")  # nobody is stored with this id
    await world.send("grace")
    page = visit.page
    await visit.open(f"/recipients/grace?tenant={world.tenant.id}", "grace")
    async with page.expect_download() as started:
        await page.get_by_role("button", name="Export as a file").click()
    exported = json.loads((await (await started.value).path()).read_text())
    assert {one["channel"] for one in exported["events"][0]["contents"]} == {"EMAIL", "SMS"}
    await page.get_by_role("button", name="Erase").click()
    question = page.get_by_role("dialog")
    await expect(question.get_by_role("button", name="Erase")).to_be_disabled()
    await question.get_by_role("textbox").fill("grace")
    await question.get_by_role("button", name="Erase").click()
    await expect(question).to_have_count(0)
    await expect(region(page, "What they got")).to_contain_text("Nothing was sent to this id")
    await expect(region(page, "Inbox")).to_contain_text("The inbox is empty")


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_a_suppression_is_added_found_and_lifted(visit: Visit, world: World) -> None:
    """A wrong address says so at its field."""
    visit.allow("status of 422")
    page = visit.page
    await visit.open(f"/suppressions?tenant={world.tenant.id}", "Suppressions")
    await expect(page.get_by_role("heading", name="No address is suppressed")).to_be_visible()
    await page.get_by_role("button", name="Suppress an address").click()
    form = page.get_by_role("dialog")
    await form.get_by_label("E-mail address").fill("nobody")
    await form.get_by_role("button", name="Suppress", exact=True).click()
    await expect(form.get_by_label("E-mail address")).to_have_attribute("aria-invalid", "true")
    await form.get_by_label("E-mail address").fill("bob@example.com")
    await form.get_by_label("Note").fill(MARKUP)
    await form.get_by_role("button", name="Suppress", exact=True).click()
    row = page.get_by_role("row").filter(has_text="manual")
    await expect(row).to_contain_text(SHOWN)
    await assert_text_only(visit)
    await visit.assert_well_formed()
    await visit.assert_accessible()
    await visit.show_filters()
    await page.get_by_label("Address", exact=True).fill("bob@example.com")
    await page.get_by_role("button", name="Find").click()
    await expect(page).to_have_url(re.compile("address=bob"))
    await expect(row).to_have_count(1)
    await row.get_by_role("button", name=re.compile("Lift")).click()
    await page.get_by_role("dialog").get_by_role("button", name="Lift").click()
    await expect(page.get_by_role("heading", name="No suppression matches")).to_be_visible()
