"""From a file of people to the trace of one run: the way of somebody who sends their first workflow."""

import re

import pytest
from playwright.async_api import FilePayload, expect

from tests.e2e.console.visit import Visit
from tests.e2e.console.world import World, region

_FILE = "email,recipient_id,name,data.plan\n" + "".join(
    f"p{number}@example.com,p{number},Person {number},{'gold' if number < 3 else 'free'}\n" for number in range(8)
)
# An event is planned, and the ledger reads what came of it.
_FOLLOWED_MS = 60_000


@pytest.mark.timeout(300)
async def test_from_a_file_of_people_to_the_trace_of_one_run(visit: Visit, world: World) -> None:
    """Import, segment, workflow, dry run, trigger, progress, and the steps of one run."""
    visit.allow("status of 404")  # the ledger does not know the event yet
    visit.allow("status of 422 .*/workflow-dry-run")  # tried while a step is not filled in yet
    await visit.open(f"/imports/new?tenant={world.tenant.id}", "Import people")
    await _import(visit)
    await _make_segment(visit)
    await _make_workflow(visit)
    await _try(visit)
    await _activate_and_trigger(visit)
    await _follow(visit)


async def _import(visit: Visit) -> None:
    page = visit.page
    file = FilePayload(name="people.csv", mimeType="text/csv", buffer=_FILE.encode())
    await page.get_by_label("CSV file").set_input_files([file])
    await page.get_by_role("button", name="Import people.csv").click()
    await expect(region(page, "Progress")).to_contain_text("8 new, 0 changed, 0 rows wrong")


async def _make_segment(visit: Visit) -> None:
    page = visit.page
    await page.get_by_role("navigation", name="Screens").get_by_role("link", name="Segments").click()
    await visit.settled("Segments")
    await page.get_by_role("link", name="New segment").first.click()
    await visit.settled("New segment")
    form = region(page, "Who is in it")
    await form.get_by_label("Name", exact=True).fill("Gold")
    await form.get_by_label("What 1").select_option(label="A field of your own …")
    await form.get_by_label("Name of the field 1").fill("plan")
    await form.get_by_label("With 1").fill("gold")
    await expect(region(page, "How many people")).to_contain_text("3 people")
    await form.get_by_role("button", name="Create segment").click()
    await visit.settled("Gold")


async def _make_workflow(visit: Visit) -> None:
    """For the segment: a mail now, a push in two days. It is not stored yet."""
    page = visit.page
    await page.get_by_role("navigation", name="Screens").get_by_role("link", name="Workflows").click()
    await page.get_by_role("link", name="Make the first workflow").click()
    await visit.settled("New workflow")
    await page.get_by_role("button", name="Begin with this: Empty").click()
    start, steps = region(page, "When it starts"), region(page, "Steps")
    await start.get_by_label("Name", exact=True).fill("Thank you")
    await start.get_by_label("Event type").fill("thanks")
    await visit.choose("Only people in this segment", "Gold")

    async def add(kind: str) -> None:
        button = re.compile("Add the first step|Add a step at the end of the steps")
        await steps.get_by_role("button", name=button).click()
        await page.get_by_role("menuitem", name=kind, exact=True).click()

    await add("Send a message")
    await steps.get_by_label("Template", exact=True).fill("note")
    await add("Wait")
    await steps.get_by_label("Time to wait", exact=True).fill("2")
    await add("Send a message")
    await steps.get_by_label("Channel", exact=True).select_option("PUSH")
    await steps.get_by_label("Template", exact=True).fill("note")


async def _try(visit: Visit) -> None:
    """For one who is not in the segment, and for one who is."""
    dry_run = region(visit.page, "Dry run")
    await dry_run.get_by_label("For whom").select_option("stored")
    await visit.choose("Recipient", "p7")
    await dry_run.get_by_role("button", name="Try it").click()
    await expect(dry_run).to_contain_text("The workflow would not be started.")
    await visit.choose("Recipient", "p1")
    result = dry_run.get_by_role("list", name="What would happen")
    await expect(result.get_by_text("would be sent")).to_have_count(2)


async def _activate_and_trigger(visit: Visit) -> None:
    page = visit.page
    await page.get_by_role("button", name="Create workflow").click()
    await visit.settled("Thank you not active")
    await page.get_by_role("button", name="Activate").click()
    await page.get_by_role("link", name="Trigger it").click()
    await visit.settled()
    await expect(page.get_by_label("Event type")).to_have_value("thanks")
    await page.get_by_label("For", exact=True).select_option("everybody")
    await page.get_by_label("Variables").fill('{"name": "you"}')
    await page.get_by_role("button", name=re.compile("^Send")).click()


async def _follow(visit: Visit) -> None:
    """Three runs wait, five people are filtered; the steps of one run, and its message."""
    page = visit.page
    await expect(page).to_have_url(re.compile(r"/triggers/[0-9a-f-]{36}"))
    progress = region(page, "Progress")
    await expect(progress).to_contain_text("Open workflow runs3", timeout=_FOLLOWED_MS)
    await expect(progress).to_contain_text("sent 3", timeout=_FOLLOWED_MS)
    await expect(progress).to_contain_text("skipped 5", timeout=_FOLLOWED_MS)
    row = region(page, "Workflow runs").get_by_role("row").filter(has_text="p1")
    await expect(row).to_contain_text("waiting", timeout=_FOLLOWED_MS)
    await row.get_by_role("button", name="Show steps").click()
    run = page.get_by_role("dialog", name="One workflow run")
    await expect(run).to_contain_text("Thank you, version 1")
    await expect(run.get_by_role("row").filter(has_text="delay-")).to_contain_text("in 2 days")
    await visit.assert_accessible()
    await run.get_by_role("button", name="Close").click()
    await page.get_by_role("link", name="Open the message").click()
    await visit.settled()
    await expect(page.get_by_role("main")).to_contain_text("p1@example.com")
