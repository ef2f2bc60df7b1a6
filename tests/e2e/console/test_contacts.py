"""People in the console: imported from a file, tagged, in segments that are counted while they are written."""

import re

import pytest
from playwright.async_api import FilePayload, expect

from tests.e2e.console.visit import LOOKS, Visit
from tests.e2e.console.world import MARKUP, SHOWN, World, assert_text_only, region

_PEOPLE = "".join(f"u{number}@example.com;U {number};{'gold' if number % 3 else 'free'}\n" for number in range(240))
_FILE = f"E-Mail;Full name;Plan\n{_PEOPLE}nowhere;Nobody;gold\nspare@example.com;{MARKUP};gold\n"


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_people_are_imported_and_wrong_rows_are_reported(visit: Visit, world: World) -> None:
    """Columns are recognized by their headers, or chosen; the page follows the import to its end."""
    page = visit.page
    await visit.open(f"/recipients?tenant={world.tenant.id}", "Recipients")
    await page.get_by_role("link", name="Import people", exact=True).click()
    await visit.settled("Import people")
    file = FilePayload(name="people.csv", mimeType="text/csv", buffer=_FILE.encode())
    await page.get_by_label("CSV file").set_input_files([file])
    form = region(page, "What is in it")
    await expect(form.get_by_label("E-Mail", exact=True)).to_have_value("email")
    await expect(form.get_by_label("Full name", exact=True)).to_have_value("name")
    await form.get_by_label("E-Mail", exact=True).select_option("")
    await expect(form).to_contain_text("one of them is needed")
    await form.get_by_label("E-Mail", exact=True).select_option("email")
    await form.get_by_label("Plan", exact=True).select_option(label="A field of your own")
    await form.get_by_label("Tags for everybody in it").fill("spring")
    await visit.assert_well_formed()
    await visit.assert_accessible()
    await form.get_by_role("button", name="Import people.csv").click()
    await expect(page).to_have_url(re.compile(r"/imports/[0-9a-f-]{36}"))
    progress = region(page, "Progress")
    await expect(progress).to_contain_text("100 % of the file is processed: 241 new, 0 changed, 1 row wrong.")
    await expect(
        region(page, "Rows that were not stored").get_by_role("row").filter(has_text="E-Mail")
    ).to_contain_text("242")
    await visit.assert_well_formed()
    await visit.assert_accessible()
    await page.get_by_role("link", name="The people").click()
    await visit.settled("Recipients")
    await visit.show_filters()
    await page.get_by_label("Search", exact=True).fill("spare@")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("row").filter(has_text="spare@example.com")).to_contain_text(SHOWN)
    await expect(page.get_by_role("row").filter(has_text="@example.com")).to_have_count(1)
    await assert_text_only(visit)
    async with page.expect_download() as started:
        await page.get_by_role("button", name="Export as CSV").click()
    exported = (await (await started.value).path()).read_text()
    assert exported.count("\n") == 2
    assert '"{""plan"":""gold""}"' in exported


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_a_segment_is_counted_while_it_is_written(visit: Visit, world: World) -> None:
    """An unfinished test is not counted; what is stored lists its people, and follows them."""
    base = f"/tenants/{world.tenant.id}"
    for name, plan in (("ada", "gold"), ("grace", "gold"), ("linus", "free")):
        await world.must("PUT", f"{base}/recipients/{name}", {"tags": ["vip"], "data": {"plan": plan}})
    page = visit.page
    await visit.open(f"/segments?tenant={world.tenant.id}", "Segments")
    await page.get_by_role("link", name="Make the first segment").click()
    await visit.settled("New segment")
    form, count = region(page, "Who is in it"), region(page, "How many people")
    await expect(count).to_contain_text("Fill in each test")
    await form.get_by_label("Name", exact=True).fill("Gold VIPs")
    await expect(form.get_by_label("Key")).to_have_value("gold-vips")
    await form.get_by_label("With 1").fill("vip")
    await expect(count).to_contain_text("3 people")
    await form.get_by_role("button", name="Add a test").click()
    await form.get_by_label("What 2").select_option(label="A field of your own …")
    await form.get_by_label("Name of the field 2").fill("plan")
    await form.get_by_label("With 2").fill("gold")
    await expect(count).to_contain_text("2 people")
    await expect(count.get_by_role("link", name="grace")).to_be_visible()
    await visit.assert_well_formed()
    await visit.assert_accessible()
    await form.get_by_role("button", name="Create segment").click()
    await visit.settled("Gold VIPs")
    members = region(page, "People in it, as it is stored")
    await expect(members.get_by_role("link", name="ada")).to_be_visible()
    await expect(members.get_by_role("link", name="linus")).to_have_count(0)
    await form.get_by_label("For whom", exact=False).first.select_option("any")
    await form.get_by_role("button", name="Save").click()
    await expect(members.get_by_role("link", name="linus")).to_be_visible()
    await visit.assert_accessible()
    await page.get_by_role("link", name="Send an event to it").click()
    await visit.settled("Send an event")
    await expect(page.get_by_role("combobox", name="Segment", exact=True)).to_have_text("Gold VIPs")
    await visit.open(f"/tags?tenant={world.tenant.id}", "Tags")
    await expect(page.get_by_role("row").filter(has_text="vip")).to_contain_text("3")


async def test_a_person_is_stored_and_changed(visit: Visit, world: World) -> None:
    """Only what was changed is sent; an id that is taken is not overwritten."""
    visit.allow("status of 4(04|22)")
    base = f"/tenants/{world.tenant.id}/recipients"
    page = visit.page
    await visit.open(f"/recipients?tenant={world.tenant.id}", "Recipients")
    await page.get_by_role("button", name="Store a recipient").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Id", exact=True).fill("ada")
    await dialog.get_by_label("E-mail").first.fill("nowhere")
    await dialog.get_by_role("button", name="Store", exact=True).click()
    await expect(dialog.get_by_label("E-mail (optional)")).to_have_attribute("aria-invalid", "true")
    await dialog.get_by_label("E-mail (optional)").fill("ada@example.com")
    await visit.assert_accessible()
    await dialog.get_by_role("button", name="Store", exact=True).click()
    await visit.settled("ada")
    await world.must("PATCH", f"{base}/ada", {"phone": "+254712345678"})
    await page.get_by_role("button", name="Edit").click()
    await dialog.get_by_label("Tags").fill("vip, new")
    await dialog.get_by_label("SMS").check()
    await dialog.get_by_role("button", name="Save").click()
    await expect(region(page, "Stored").get_by_role("link", name="vip")).to_be_visible()
    stored = await world.must("GET", f"{base}/ada")
    assert (stored["tags"], stored["muted_channels"], stored["phone"]) == (["vip", "new"], ["SMS"], "+254712345678")
    await _change_categories_and_devices(visit, world)
    await visit.open(f"/recipients?tenant={world.tenant.id}", "Recipients")
    await page.get_by_role("button", name="Store a recipient").click()
    await dialog.get_by_label("Id", exact=True).fill("ada")
    await dialog.get_by_role("button", name="Store", exact=True).click()
    await expect(dialog).to_contain_text("Somebody is stored with this id already")


async def _change_categories_and_devices(visit: Visit, world: World) -> None:
    """What is wrong stands at its field; of the tokens, the middle of which nobody sees, one stays and one goes."""
    path = f"/tenants/{world.tenant.id}/recipients/ada"
    tokens = [{"kind": "fcm", "token": f"{name}-secret-secret-{name}"} for name in ("first", "other")]
    await world.must("PATCH", path, {"device_tokens": tokens})
    page, dialog = visit.page, visit.page.get_by_role("dialog")
    await page.reload()
    await visit.settled("ada")
    await page.get_by_role("button", name="Edit").click()
    await dialog.get_by_role("button", name="Add a category").click()
    await dialog.get_by_role("button", name="Add a token").click()
    await dialog.get_by_label("Service 3").select_option("Apple (APNs)")
    await dialog.get_by_label("Token 3", exact=True).fill("third-secret-secret-third")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_label("Category 1")).to_have_attribute("aria-invalid", "true")
    await expect(dialog.get_by_label("Category 1")).to_be_focused()
    await dialog.get_by_label("Category 1").fill("news")
    await dialog.get_by_label("Channel 1").select_option("Push")
    await dialog.get_by_role("button", name="Remove token 1").click()
    await visit.assert_accessible()
    await dialog.get_by_role("button", name="Save").click()
    await expect(region(page, "Stored")).to_contain_text("no news by Push")
    stored = await world.must("GET", path)
    assert stored["category_preferences"] == [{"channel": "PUSH", "category": "news", "wanted": False}]
    shown = [("fcm", "other-…ther"), ("apns", "third-…hird")]
    assert [(one["kind"], one["token"]) for one in stored["device_tokens"]] == shown
    # The one that stayed is stored in full, so that it is no other one.
    kept = await world.must("PATCH", path, {"device_tokens": [tokens[1], *stored["device_tokens"]]})
    assert kept["device_tokens"] == stored["device_tokens"]
