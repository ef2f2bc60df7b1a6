"""Workflows in the console: made, changed by mouse and keys, compared, tried, activated."""

import re
import uuid
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from stack.client import Running
from tests.e2e.console.conftest import OpenVisit
from tests.e2e.console.visit import LOOKS, Visit
from tests.e2e.console.world import MARKUP, SHOWN, World, assert_text_only, region
from tests.integration.gateway.console_visitor import joined, owner, visitor

_NOTE = {"key": "note"}
_DOCUMENT: dict[str, Any] = {
    "filters": {"tags": ["new"], "cooldown_s": 3600},
    "steps": [
        {"id": "hello", "kind": "send", "channel": "EMAIL", "template": _NOTE},
        {"id": "later", "kind": "delay", "for_s": 86_400},
        {
            "id": "plan",
            "kind": "condition",
            "rule": {"==": [{"var": "event.data.plan"}, "pro"]},
            "then": [{"id": "tips", "kind": "send", "name": "Tips", "channel": "EMAIL", "template": _NOTE}],
            "else": [{"id": "end", "kind": "stop"}],
        },
    ],
}


async def _stored(world: World, document: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return a workflow that is stored."""
    body = {"name": "Welcome", "event_type": "user_signup", "document": document or _DOCUMENT, **fields}
    made: dict[str, Any] = await world.must("POST", f"/tenants/{world.tenant.id}/workflows", body)
    return made


async def _now(world: World, workflow_id: str) -> dict[str, Any]:
    """Return a workflow as it is stored now."""
    found: dict[str, Any] = await world.must("GET", f"/tenants/{world.tenant.id}/workflows/{workflow_id}")
    return found


def _path(world: World, workflow: dict[str, Any], more: str = "") -> str:
    return f"/workflows/{workflow['id']}{more}?tenant={world.tenant.id}"


def _handle(page: Page, title: str) -> Locator:
    return page.get_by_role("button", name=f"Move “{title}”")


def _ids(steps: list[dict[str, Any]]) -> list[Any]:
    """Return the ids of steps, those within a condition in lists after it."""
    found: list[Any] = []
    for step in steps:
        found.append(step["id"])
        if step["kind"] == "condition":
            found += [_ids(step.get("then", [])), _ids(step.get("else", []))]
    return found


async def _save(page: Page) -> None:
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("toolbar", name="Workflow")).to_contain_text("Nothing to save")


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_a_workflow_is_made_from_an_example_and_activated(visit: Visit, world: World) -> None:
    """What is wrong stands at its step until a template is chosen; texts of people stay texts."""
    visit.allow("status of 422")
    page = visit.page
    await visit.open(f"/workflows?tenant={world.tenant.id}", "Workflows")
    await expect(page.get_by_role("heading", name="No workflows yet")).to_be_visible()
    await page.get_by_role("link", name="Make the first workflow").click()
    await visit.settled("New workflow")
    await page.get_by_role("button", name="Begin with this: A series").click()
    start = region(page, "When it starts")
    await start.get_by_label("Name", exact=True).fill(MARKUP)
    await start.get_by_label("Event type").fill("user_signup")
    steps = region(page, "Steps")
    await expect(steps).to_contain_text("template.key is required")
    await page.get_by_role("button", name="Create workflow").click()
    await expect(page.get_by_role("alert")).to_contain_text("Not saved: what is wrong is marked below.")
    await visit.assert_accessible()
    for name in ("Welcome", "First steps", "Offer"):
        await steps.get_by_role("button", name=f"Edit “{name}”").click()
        await steps.get_by_label("Template", exact=True).fill("note")
        await steps.get_by_role("button", name=f"Done “{name}”").click()
    await expect(steps).not_to_contain_text("is required")
    await page.get_by_role("button", name="Create workflow").click()
    await expect(page).to_have_url(re.compile(r"/workflows/[0-9a-f-]{36}"))
    await page.get_by_role("button", name="Activate").click()
    heading = page.get_by_role("heading", level=1)
    await expect(heading.get_by_text("active", exact=True)).to_be_visible()
    await expect(heading).to_contain_text(SHOWN)
    await assert_text_only(visit)
    await visit.assert_well_formed()
    await visit.assert_accessible()
    await visit.open(f"/workflows?tenant={world.tenant.id}&state=active", "Workflows")
    await expect(page.get_by_role("row").filter(has_text="user_signup")).to_contain_text(SHOWN)
    await visit.open(f"/workflows?tenant={world.tenant.id}&state=inactive", "Workflows")
    await expect(page.get_by_role("heading", name="No workflow matches")).to_be_visible()


async def test_arrow_keys_bring_a_step_into_a_condition_and_out_of_it(visit: Visit, world: World) -> None:
    """The focus stays on its handle, each move is said, and Undo takes one back."""
    workflow = await _stored(world)
    page = visit.page
    await visit.open(_path(world, workflow))
    handle = _handle(page, "Wait 1 day")
    await handle.focus()
    await page.keyboard.press("ArrowDown")
    await expect(handle).to_be_focused()
    said = page.locator("[aria-live=assertive]", has_text="is now at place")
    await expect(said).to_contain_text("Wait 1 day is now at place 3 of 7, in “Then” of If event.data.plan is “pro”.")
    for _ in range(4):
        await page.keyboard.press("ArrowDown")
    await expect(handle).to_be_focused()
    await expect(said).to_contain_text("at place 7 of 7.")
    await page.get_by_role("button", name="Undo").click()
    await _save(page)
    saved = await _now(world, workflow["id"])
    assert _ids(saved["document"]["steps"]) == ["hello", "plan", ["tips"], ["end", "later"]]
    assert saved["version"] == 2


async def test_a_step_is_dragged_before_another_one(visit: Visit, world: World) -> None:
    """Into a list too, and never into itself."""
    workflow = await _stored(world)
    page = visit.page
    await visit.open(_path(world, workflow))
    tips = region(page, "Steps").get_by_text("Tips", exact=True)
    condition = _handle(page, "If event.data.plan is “pro”")
    await condition.drag_to(tips, target_position={"x": 5, "y": 2})
    await expect(page.get_by_role("toolbar", name="Workflow")).to_contain_text("Nothing to save")
    await _handle(page, "E-mail with the template note").drag_to(tips, target_position={"x": 5, "y": 2})
    await _save(page)
    saved = await _now(world, workflow["id"])
    assert _ids(saved["document"]["steps"]) == ["later", "plan", ["hello", "tips"], ["end"]]


async def test_each_kind_of_step_has_an_editor(visit: Visit, world: World) -> None:
    """What is chosen there is stored as the API has it."""
    workflow = await _stored(world, {"steps": [{"id": "hello", "kind": "send", "channel": "EMAIL", "template": _NOTE}]})
    endpoint = await world.must(
        "POST", f"/tenants/{world.tenant.id}/endpoints", {"url": "https://example.com/hook", "description": "Hook"}
    )
    page = visit.page
    await visit.open(_path(world, workflow))
    steps = region(page, "Steps")

    async def add(kind: str) -> None:
        await steps.get_by_role("button", name="Add a step at the end of the steps").click()
        await page.get_by_role("menuitem", name=kind, exact=True).click()

    await add("Wait")
    await expect(steps.get_by_label("How long", exact=True)).to_be_focused()
    await steps.get_by_label("How long", exact=True).select_option(label="Until certain hours")
    await steps.get_by_label("From", exact=True).fill("08:30")
    await steps.get_by_label("To", exact=True).fill("00:00")
    await steps.get_by_label("Time zone", exact=True).select_option("Africa/Nairobi")
    await steps.get_by_label("Friday", exact=True).uncheck()
    await visit.assert_accessible()
    await add("Wait")
    await steps.get_by_label("How long", exact=True).select_option(
        label="Until a time that the event or the person has"
    )
    await steps.get_by_label("Where the time is", exact=True).fill("event.data.starts_at")
    await steps.get_by_label("Shifted by", exact=True).first.fill("2")
    await steps.get_by_label("Direction", exact=True).select_option("before")
    await add("Condition")
    await steps.get_by_label("Value", exact=True).fill("contact.tags")
    await steps.get_by_label("Comparison", exact=True).select_option("contains")
    await steps.get_by_label("With", exact=True).fill("vip")
    await visit.assert_accessible()
    await add("At the same time")
    await steps.get_by_role("button", name="Remove branch 2").click()
    await steps.get_by_role("button", name="Add a step at the end of “Branch 1”").click()
    await page.get_by_role("menuitem", name="Stop").click()
    await add("Call an endpoint")
    await steps.get_by_label("Endpoint", exact=True).select_option(label="Hook")
    await steps.get_by_label("Only if a rule holds", exact=True).check()
    await expect(steps).to_contain_text("Only if contact.email is set")
    await add("Send a message")
    await steps.get_by_label("Channel", exact=True).select_option("SMS")
    await steps.get_by_label("Template", exact=True).fill("note")
    await steps.get_by_label("Version", exact=True).select_option("1")
    await visit.assert_accessible()
    await visit.assert_well_formed()
    await _save(page)
    saved = (await _now(world, workflow["id"]))["document"]["steps"]
    for step in saved:
        step.pop("id")
    [inner] = saved[4]["branches"]
    assert [one["kind"] for one in inner] == ["stop"]
    hours = {"from": "08:30", "to": "24:00", "timezone": "Africa/Nairobi", "days": ["mon", "tue", "wed", "thu"]}
    assert saved[1:4] == [
        {"kind": "delay", "within": hours},
        {"kind": "delay", "from": {"path": "event.data.starts_at", "offset_s": -7200}},
        {"kind": "condition", "rule": {"in": ["vip", {"var": "contact.tags"}]}, "then": [], "else": []},
    ]
    assert saved[5:] == [
        {"kind": "webhook", "endpoint_id": endpoint["id"], "only_if": {"!!": [{"var": "contact.email"}]}},
        {"kind": "send", "channel": "SMS", "template": {"key": "note", "version": 1}},
    ]


async def test_two_versions_are_compared_and_an_earlier_one_is_used_again(visit: Visit, world: World) -> None:
    """In words and as JSON, with who made them."""
    workflow = await _stored(world)
    shorter = {"steps": [{"id": "hello", "kind": "send", "channel": "SMS", "template": _NOTE}]}
    path = f"/tenants/{world.tenant.id}/workflows/{workflow['id']}"
    await world.must("PATCH", path, {"document": shorter})
    page = visit.page
    await visit.open(_path(world, workflow, "/versions"), "Versions of Welcome")
    differs = region(page, "What differs")
    await expect(differs.get_by_label("Version 2", exact=True)).to_contain_text("SMS with the template note")
    await expect(differs.get_by_label("Version 1", exact=True)).to_contain_text("At most once in 1 hour")
    await visit.assert_well_formed()
    await visit.assert_accessible()
    await differs.get_by_label("As JSON").check()
    await expect(differs.get_by_label("Version 1", exact=True)).to_contain_text('"cooldown_s": 3600')
    await expect(page.get_by_role("row").filter(has_text="current")).to_contain_text("A program with the admin token")
    await page.get_by_role("button", name="Use version 1 again").click()
    await page.get_by_role("dialog").get_by_role("button", name="Use it again").click()
    await expect(page.get_by_role("row").filter(has_text="current")).to_contain_text("3")
    assert (await _now(world, workflow["id"]))["document"] == workflow["document"]


async def test_somebody_elses_version_is_never_overwritten_unseen(visit: Visit, world: World) -> None:
    """The second one to save sees both, and chooses. What is not saved outlives a reload."""
    visit.allow("status of 409")
    workflow = await _stored(world)
    page = visit.page
    await visit.open(_path(world, workflow))
    await _handle(page, "E-mail with the template note").focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("toolbar", name="Workflow")).to_contain_text("Not saved: version 2")
    theirs = {"steps": [{"id": "end", "kind": "stop"}]}
    path = f"/tenants/{world.tenant.id}/workflows/{workflow['id']}"
    await world.must("PATCH", path, {"document": theirs, "expected_version": 1})
    await page.reload()
    await visit.settled()
    await expect(page.get_by_text("Your unsaved changes were restored; they are based on version 1.")).to_be_visible()
    await page.get_by_role("button", name="Save", exact=True).click()
    dialog = page.get_by_role("dialog", name="Another version was saved meanwhile")
    await expect(dialog.get_by_label("Version 2", exact=True)).to_contain_text("Stop: nothing after this is done")
    await visit.assert_accessible()
    await dialog.get_by_role("button", name="Save mine as the newest version").click()
    await expect(dialog).to_have_count(0)
    saved = await _now(world, workflow["id"])
    assert (saved["version"], _ids(saved["document"]["steps"])[:2]) == (3, ["later", "hello"])


async def test_a_workflow_is_deactivated_and_deleted(visit: Visit, world: World) -> None:
    """Its name has to be typed."""
    visit.allow("status of 404")
    workflow = await _stored(world, active=True, name=f"Welcome {uuid.uuid4().hex[:6]}")
    page = visit.page
    await visit.open(_path(world, workflow))
    await page.get_by_role("button", name="Deactivate").click()
    await page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("not active")
    await page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("textbox").fill(workflow["name"])
    await dialog.get_by_role("button", name="Delete workflow").click()
    await visit.settled("Workflows")
    await expect(page.get_by_role("heading", name="No workflows yet")).to_be_visible()


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_a_dry_run_stands_beside_the_steps_and_follows_their_changes(visit: Visit, world: World) -> None:
    """Why it is not started, what would be sent when it is, and what would not for want of an address."""
    text = {"id": "text", "kind": "send", "channel": "SMS", "template": _NOTE}
    workflow = await _stored(world, {**_DOCUMENT, "steps": [*_DOCUMENT["steps"], text]})
    await world.must(
        "PUT", f"/tenants/{world.tenant.id}/recipients/grace", {"email": "grace@example.com", "tags": ["new"]}
    )
    page = visit.page
    await visit.open(_path(world, workflow))
    dry_run, steps = region(page, "Dry run"), region(page, "Steps")
    await dry_run.get_by_label("Event data").fill('{"plan": "pro"')
    await expect(dry_run).to_contain_text("It is not JSON")
    await dry_run.get_by_label("Event data").fill('{"plan": "pro"}')
    await dry_run.get_by_role("button", name="Try it").click()
    await expect(dry_run).to_contain_text("The workflow would not be started.")
    await dry_run.get_by_label("For whom").select_option("stored")
    await visit.choose("Recipient", "grace")
    result = dry_run.get_by_role("list", name="What would happen")
    await expect(result.get_by_role("listitem").filter(has_text="If event.data.plan")).to_contain_text("holds")
    await expect(result.get_by_role("listitem").filter(has_text="SMS")).to_contain_text("would be skipped")
    await expect(result).to_contain_text("Tips")
    await expect(steps.get_by_text("would be sent").first).to_be_visible()
    await visit.assert_well_formed()
    await visit.assert_accessible()
    # Of the other branch nothing is said; what is not saved is tried.
    await dry_run.get_by_label("Event data").fill('{"plan": "free"}')
    await expect(result).to_contain_text("would stop here")
    await expect(result).not_to_contain_text("Tips")
    await steps.get_by_role("button", name="More about “Stop: nothing after this is done”").click()
    await page.get_by_role("menuitem", name="Remove").click()
    await expect(result).not_to_contain_text("would stop here")
    await expect(result.get_by_role("listitem").filter(has_text="SMS")).to_contain_text("would be skipped")


async def test_a_viewer_reads_a_workflow_and_changes_nothing(
    running: Running, open_visit: OpenVisit, world: World
) -> None:
    """No editors, no handles, no dry run."""
    workflow = await _stored(world)
    role = {"role": "viewer", "tenant_id": world.tenant.id}
    async with owner(running) as boss, visitor(running) as person, open_visit(token="") as visit:
        await joined(running, boss, person, f"{uuid.uuid4().hex}@example.com", role)
        await visit.sign_in(person)
        page = visit.page
        await visit.open(_path(world, workflow))
        steps = region(page, "Steps")
        await expect(steps).to_contain_text("If event.data.plan is “pro”")
        assert await steps.get_by_role("button").count() == 0
        await expect(region(page, "Dry run")).to_contain_text("Your role may not try workflows")
        await expect(page.get_by_role("button", name="Delete")).to_have_count(0)
        await visit.assert_accessible()
        await visit.open(_path(world, workflow, "/versions"), "Versions of Welcome")
        await visit.assert_accessible()
