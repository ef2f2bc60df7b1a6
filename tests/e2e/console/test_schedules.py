"""Schedules and triggers in the console."""

import re
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.e2e.console.visit import LOOKS, Visit
from tests.e2e.console.world import MARKUP, SHOWN, World, assert_text_only, region
from tests.waiting import eventually


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_a_schedule_is_created_changed_paused_and_deleted(visit: Visit, world: World) -> None:
    """The next times are shown while the expression is typed; a wrong one says so at its field."""
    visit.allow("status of 422")
    visit.allow("status of 404")  # it is looked at once more after it was deleted
    page = visit.page
    await visit.open(f"/schedules?tenant={world.tenant.id}", "Schedules")
    await expect(page.get_by_role("heading", name="This tenant has no schedule yet")).to_be_visible()
    await page.get_by_role("link", name="Create a schedule").first.click()
    await visit.settled("Create a schedule")
    await page.get_by_label("Name").fill(MARKUP)
    await page.get_by_label("Time zone").fill("Africa/Nairobi")
    await page.get_by_label("Cron expression").fill("61 9 * * *")
    await expect(page.get_by_text("has a wrong minute")).to_be_visible()
    await page.get_by_label("How often").select_option("Every workday")
    times = region(page, "Next times")
    await expect(times).to_contain_text("At 09:00 on Monday through Friday")
    await expect(times.get_by_role("listitem")).to_have_count(5)
    await expect(times.get_by_role("listitem").first).to_contain_text("09:00 GMT+3")
    await page.get_by_label("Event type").fill("note")
    await page.get_by_label("For", exact=True).select_option("Everybody with tags")
    await page.get_by_label("Tags").fill("vip, beta")
    await page.get_by_label("Variables").fill("[")
    await page.get_by_role("button", name="Create schedule").click()
    await expect(page.get_by_label("Variables")).to_have_accessible_description(
        re.compile("The variables cannot be read as JSON")
    )
    await page.get_by_label("Variables").fill('{"name": "Ada"}')
    await visit.assert_accessible()
    await page.get_by_role("button", name="Create schedule").click()
    await expect(_times(page)).to_contain_text("Africa/Nairobi")
    await expect(page.get_by_role("heading", level=1)).to_contain_text(SHOWN)
    [stored] = (await world.must("GET", f"/tenants/{world.tenant.id}/schedules"))["data"]
    assert (stored["cron"], stored["event"]["variables"]) == ("0 9 * * MON-FRI", {"name": "Ada"})
    assert stored["event"]["audience"] == [{"tags": ["vip", "beta"]}]
    await assert_text_only(visit)
    await visit.assert_well_formed()
    await page.get_by_role("button", name="Pause").click()
    await expect(_times(page)).to_contain_text("paused")
    await page.get_by_role("button", name="Resume").click()
    await expect(_times(page)).to_contain_text("active")
    await page.get_by_label("Cron expression").fill("0 12 * * *")
    await page.get_by_role("button", name="Save").click()
    await expect(_times(page)).to_contain_text("At 12:00 every day")
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete the schedule").click()
    await visit.settled("Schedules")
    await expect(page.get_by_role("heading", name="This tenant has no schedule yet")).to_be_visible()


async def test_what_the_fields_cannot_hold_is_json(visit: Visit, world: World) -> None:
    """An event for several people is shown as JSON, and saved as it is."""
    event = {"event_type": "note", "audience": [{"recipient_id": "ada"}, {"group": "staff"}], "channels": ["EMAIL"]}
    body = {"name": "Both", "cron": "0 9 * * *", "event": event}
    made = await world.must("POST", f"/tenants/{world.tenant.id}/schedules", body)
    page = visit.page
    await visit.open(f"/schedules/{made['id']}?tenant={world.tenant.id}", "Both")
    await expect(page.get_by_label("Write the event as JSON")).to_be_checked()
    written = page.get_by_label("The event", exact=True)
    await written.fill((await written.input_value()).replace("staff", "readers"))
    await page.get_by_role("button", name="Save").click()

    async def is_saved() -> bool:
        stored = (await world.must("GET", f"/tenants/{world.tenant.id}/schedules/{made['id']}"))["event"]
        expected = [{"recipient_id": "ada"}, {"group": "readers"}]
        return (stored["audience"], stored["channels"]) == (expected, ["EMAIL"])

    await eventually(is_saved)


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_an_event_is_sent_and_followed(visit: Visit, world: World) -> None:
    """To everybody with a tag: its page shows how far it has come, and what became of the deliveries."""
    people = [
        {"recipient_id": f"u{number}", "email": f"u{number}@example.com", "tags": ["vip"] * (number < 2)}
        for number in range(3)
    ]
    await world.must("PUT", f"/tenants/{world.tenant.id}/recipients", {"recipients": people})
    page = visit.page
    await visit.open(f"/triggers?tenant={world.tenant.id}", "Triggers")
    await page.get_by_role("link", name="Send an event").first.click()
    await visit.settled("Send an event")
    await page.get_by_label("Event type").fill("note")
    await page.get_by_label("For", exact=True).select_option("Everybody with tags")
    await page.get_by_label("Tags").fill("vip")
    await page.get_by_label("Variables").fill('{"name": "Ada"}')
    await page.get_by_role("button", name="Send the event").click()
    await visit.settled("note")
    progress = region(page, "Progress")
    await expect(progress).to_contain_text("done")
    # Each has an e-mail and a push, and no number for a text.
    await expect(progress).to_contain_text(re.compile(r"sent\s*4"))
    await expect(progress).to_contain_text(re.compile(r"skipped\s*2"))
    await visit.assert_accessible()
    await visit.assert_well_formed()
    await visit.open(f"/triggers?tenant={world.tenant.id}", "Triggers")
    await expect(page.get_by_role("table").get_by_role("link", name="note")).to_be_visible()


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_whom_an_event_is_for_is_chosen_from_lists(visit: Visit, world: World) -> None:
    """A link names somebody, without a tenant; a group and somebody else are found by a part of their names."""
    visit.allow("status of 404")  # an event for one person has no run
    base, grace = f"/tenants/{world.tenant.id}", f"grace-{world.tenant.id[-12:]}"
    await world.must("PUT", f"{base}/recipients/{grace}", {"name": "Grace", "email": "grace@example.com"})
    await world.must("PUT", f"{base}/recipients/linus", {"email": "linus@example.com"})
    await world.must("PUT", f"{base}/groups/team-b", {"name": "Readers"})
    page = visit.page
    await visit.open(f"/triggers/new?recipient={grace}", "Send an event")
    await expect(page).to_have_url(re.compile(f"tenant={world.tenant.id}"))
    chosen = page.get_by_role("combobox", name="Recipient", exact=True)
    await expect(chosen).to_have_text("Grace")
    await page.get_by_label("Event type").fill("note")
    await page.get_by_label("Variables").fill('{"name": "Ada"}')
    await page.get_by_label("For", exact=True).select_option("A group")
    await page.get_by_role("button", name="Send the event").click()
    group = page.get_by_role("combobox", name="Group", exact=True)
    await expect(group).to_be_focused()
    await expect(group).to_have_accessible_description("Choose a group.")
    await visit.choose("Group", "Read")
    await expect(group).to_have_text("team-b")
    await visit.assert_accessible()
    await page.get_by_label("For", exact=True).select_option("A stored recipient")
    await expect(chosen).to_have_text("Choose one")
    await visit.choose("Recipient", "linus")
    await page.get_by_role("button", name="Send the event").click()
    await visit.settled("note")
    [event] = (await world.must("GET", f"/events?tenant_id={world.tenant.id}"))["data"]
    assert event["recipient"]["user_id"] == "linus"


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_an_event_that_waits_is_paused_and_canceled(visit: Visit, world: World) -> None:
    """Among the triggers that wait; canceled, it has ended."""
    sent = await world.must("POST", f"/tenants/{world.tenant.id}/events", _later())
    page = visit.page
    await visit.open(f"/triggers?tenant={world.tenant.id}&state=waiting", "Triggers")
    await page.get_by_role("table").get_by_role("link", name="note").click()
    await visit.settled("note")
    await page.get_by_role("button", name="Pause").click()
    await expect(region(page, "Progress")).to_contain_text("paused")
    await page.get_by_role("button", name="Resume").click()
    await expect(region(page, "Progress")).to_contain_text("waits for its time")
    await page.get_by_role("button", name="Cancel", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel the event").click()
    await expect(region(page, "Progress")).to_contain_text("canceled")
    await expect(page.get_by_role("button", name="Cancel", exact=True)).to_have_count(0)
    assert (await world.must("GET", f"/events/{sent['event_id']}/run"))["state"] == "canceled"
    await visit.assert_accessible()


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_a_workflow_is_started_and_one_run_canceled(visit: Visit, world: World) -> None:
    """The run of one person waits at its delay; its steps are shown; it is canceled alone."""
    document = {
        "steps": [
            {"id": "hello", "kind": "send", "channel": "EMAIL", "template": {"key": "note"}},
            {"id": "later", "kind": "delay", "for_s": 86_400},
            {"id": "tips", "kind": "send", "channel": "EMAIL", "template": {"key": "note"}},
        ]
    }
    workflow = {"name": MARKUP, "event_type": "joined", "active": True, "document": document}
    await world.must("POST", f"/tenants/{world.tenant.id}/workflows", workflow)
    page = visit.page
    await visit.open(f"/triggers/new?tenant={world.tenant.id}", "Send an event")
    await visit.choose("Workflow", SHOWN)
    await expect(page.get_by_label("Event type")).to_have_value("joined")
    await page.get_by_label("E-mail address").fill("ada@example.com")
    await page.get_by_role("button", name="Send the event").click()
    await visit.settled("joined")
    await expect(region(page, "Progress")).to_contain_text("workflows run")
    runs = region(page, "Workflow runs")
    await expect(runs).to_contain_text("later")
    await expect(region(page, "By workflow and step")).to_contain_text("hello")
    await runs.get_by_role("button", name="Show steps").click()
    steps = page.get_by_role("dialog", name="One workflow run")
    await expect(steps).to_contain_text("Waits")
    await visit.assert_accessible()
    await steps.get_by_role("button", name="Cancel this run").click()
    await expect(steps).to_contain_text("canceled")
    await steps.get_by_role("button", name="Close").click()
    await expect(region(page, "Progress")).to_contain_text("done")
    await assert_text_only(visit)


def _times(page: Page) -> Locator:
    return page.get_by_role("region", name="Times", exact=True)


def _later() -> dict[str, Any]:
    return {
        "event_type": "note",
        "audience": [{"recipient": {"user_id": "ada", "email": "ada@example.com"}}],
        "due_at": "2999-01-01T09:00:00Z",
        "variables": {"name": "Ada"},
    }
