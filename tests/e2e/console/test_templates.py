"""Templates in the console: written, broken, fixed, saved, activated, tested; drafts, conflicts, hostile content."""

import asyncio
import json
import os
import re
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import FrameLocator, Locator, Page, expect

from checks.client import Client
from tests.e2e.console.conftest import OpenVisit
from tests.e2e.console.visit import LOOKS, Visit

# The answer to the second of two editors, which the browser writes into its log.
REFUSED = r"status of 409"
WRONG = r"status of 422"


# The editor takes no key for a list that has opened less than 75 ms ago: nobody can have meant it.
LATER = """() => new Promise((done) => {
    const from = performance.now();
    const look = () => performance.now() - from > 100 ? done() : requestAnimationFrame(look);
    look();
})"""


def event_type(name: str) -> str:
    """Return an event type of one test's own: the stack is shared."""
    return f"{name}.{uuid4().hex[:8]}"


async def create(client: Client, kind: str, **fields: Any) -> dict[str, Any]:
    """Create a version of a template of the demo tenant."""
    new = {"tenant_id": client.tenant.id, "event_type": kind, "channel": "SMS", "body": "Hi {{name}}", **fields}
    return dict(await client.operator.must("POST", "/templates", json=new))


async def create_sample(client: Client, kind: str, sample: dict[str, Any]) -> None:
    """Store a sample of the demo tenant: its name and variables."""
    new = {**sample, "tenant_id": client.tenant.id, "event_type": kind}
    await client.operator.must("POST", "/template-samples", json=new)


def editor(page: Page, label: str = "Body") -> Any:
    """Return the content of a code editor."""
    return page.get_by_role("textbox", name=label, exact=True)


async def write(page: Page, text: str, label: str = "Body") -> None:
    """Replace what an editor holds, as somebody who pastes it."""
    await editor(page, label).click()
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.insert_text(text)


async def _call_from_a_shell(visit: Visit, client: Client, kind: str) -> None:
    """Run the command of the template's page, and see its event among the messages."""
    page = visit.page
    call = page.get_by_role("region", name="Send it from your program")
    command = await call.locator("pre").text_content() or ""
    key = {"CLARION_API_KEY": client.tenant.api_key, "PATH": os.environ["PATH"]}
    shell = await asyncio.create_subprocess_exec("sh", "-c", command, env=key, stdout=asyncio.subprocess.PIPE)
    answer, _ = await shell.communicate()
    assert shell.returncode == 0
    assert json.loads(answer)["success"] is True
    await visit.open(f"/messages?tenant={client.tenant.id}&event_type={kind}", "Messages")
    await expect(page.get_by_text("you@example.com")).to_be_visible()


async def _break(page: Page, frame: FrameLocator) -> tuple[Locator, Locator]:
    """Write an error, which stands at its line, and cannot be saved; return where the page says both."""
    await write(page, "<mjml>\n  <mj-body>\n    <mj-text>Hi {{#if name}}{{name}}</mj-text>\n  </mj-body>\n</mjml>")
    errors = page.get_by_role("region", name="Errors")
    await expect(errors).to_contain_text("is not closed")
    await expect(page.locator(".cm-lint-marker-error")).to_have_count(1)
    await errors.get_by_role("button", name="Body, line 3").click()
    await expect(editor(page)).to_be_focused()
    await expect(frame.get_by_text("has left our warehouse")).to_be_visible()  # the last one without errors
    await page.get_by_role("button", name="Save and activate").click()
    refused = page.get_by_role("alert").filter(has_text="Nothing was saved, because the template has errors.")
    await expect(refused).to_be_visible()
    return errors, refused


async def test_a_template_from_the_first_line_to_its_delivery(visit: Visit, client: Client) -> None:
    """A mail with an error at its line, fixed, saved, activated, tested, followed, and called from a shell."""
    page, kind = visit.page, event_type("order")
    visit.allow(REFUSED)
    visit.allow(WRONG)
    await visit.open(f"/templates?tenant={client.tenant.id}", "Templates")
    await page.get_by_role("link", name="New template").click()
    await visit.settled("New template")
    await page.get_by_label("Event type").fill(kind)
    await page.get_by_role("button", name="Use this example: Text and a button").click()
    await visit.settled(f"New template for {kind}")
    frame = page.get_by_title("Preview of the e-mail").content_frame.locator("iframe").content_frame
    await expect(frame.get_by_text("has left our warehouse")).to_be_visible()

    errors, refused = await _break(page, frame)
    body = (
        "<mjml><mj-body><mj-section><mj-column>\n"
        "<mj-text>Hi {{#if vip}}dear {{name}}{{else}}you{{/if}}, order {{orderId}}</mj-text>\n"
        "</mj-column></mj-section></mj-body></mjml>"
    )
    await write(page, body)
    await expect(errors).to_have_count(0)
    await expect(refused).to_have_count(0)
    await expect(frame.get_by_text("Hi you, order W-1042")).to_be_visible()
    await page.get_by_role("button", name="Edit as JSON").click()
    await write(page, '{"name": "Zoe", "orderId": "W-7\'s"}', "Sample data")
    await expect(frame.get_by_text("Hi you, order W-7's")).to_be_visible()
    report = page.get_by_role("region", name="Preview", exact=True)
    await expect(report).to_contain_text("{{#if vip}} its first part, body line 2")
    await write(page, "Order {{orderId}}", "Subject")
    await expect(report.get_by_text("Order W-7's", exact=True)).to_be_visible()

    await page.keyboard.press("ControlOrMeta+s")
    await visit.settled(f"Edit {kind}")
    await expect(page.get_by_text("Nothing to save")).to_be_visible()
    await expect(frame.get_by_text("Hi you, order W-7's")).to_be_visible()  # the sample is that of the draft
    await page.get_by_role("button", name="Send a test").click()
    dialog = page.get_by_role("dialog", name="Send a test")
    await dialog.get_by_label("E-mail address").fill("ada@example.com")
    await dialog.get_by_role("button", name="Send", exact=True).click()
    await expect(dialog.get_by_text("The test is through.")).to_be_visible()
    await expect(dialog.get_by_text("sent", exact=True)).to_be_visible()
    await expect(dialog.get_by_role("link", name="Open the message")).to_have_attribute(
        "href", re.compile("/messages/")
    )
    await page.keyboard.press("Escape")

    await page.get_by_role("link", name="Versions and languages").click()
    await visit.settled(kind)
    await page.get_by_role("button", name="Activate version 1").click()
    await expect(page.get_by_role("table").get_by_text("active", exact=True)).to_be_visible()
    found = await client.operator.must("GET", f"/template-languages?tenant_id={client.tenant.id}&search={kind}")
    (language,) = found["data"]
    assert (language["active"]["version"], language["newest"]["subject"]) == (1, "Order {{orderId}}")

    await _call_from_a_shell(visit, client, kind)


async def test_an_unsaved_draft_is_restored(visit: Visit, client: Client) -> None:
    """With a notice; it says when a newer version was saved meanwhile, and is gone once it is discarded or saved."""
    page, kind = visit.page, event_type("draft")
    first = await create(client, kind)
    await visit.open(f"/templates/{first['id']}/edit", f"Edit {kind}")
    await write(page, "Hello {{name}}, draft")
    await expect(page.get_by_text("Unsaved changes, kept in this browser")).to_be_visible()
    await page.reload()
    await visit.settled(f"Edit {kind}")
    await expect(page.get_by_text("Your unsaved draft was restored")).to_be_visible()
    await expect(editor(page)).to_have_text("Hello {{name}}, draft")

    second = await create(client, kind, body="Theirs")
    await visit.open(f"/templates/{second['id']}/edit", f"Edit {kind}")
    await expect(page.get_by_text("It is based on version 1; version 2 is newer.")).to_be_visible()
    await page.get_by_role("button", name="Discard the draft").click()
    await expect(editor(page)).to_have_text("Theirs")
    await page.reload()
    await visit.settled(f"Edit {kind}")
    await expect(page.get_by_text("Your unsaved draft was restored")).to_have_count(0)

    await write(page, "Saved")
    await page.get_by_role("button", name="Save version").click()
    await expect(page.get_by_text("Nothing to save")).to_be_visible()
    await page.reload()
    await visit.settled(f"Edit {kind}")
    await expect(editor(page)).to_have_text("Saved")
    await expect(page.get_by_text("Your unsaved draft was restored")).to_have_count(0)


@pytest.mark.parametrize("choice", ["mine", "theirs"])
async def test_two_editors_choose(visit: Visit, client: Client, choice: str) -> None:
    """The second one sees both, and one of them is the newest version afterwards."""
    page, kind = visit.page, event_type("conflict")
    visit.allow(REFUSED)
    first = await create(client, kind)
    await visit.open(f"/templates/{first['id']}/edit", f"Edit {kind}")
    await write(page, "Mine")
    await create(client, kind, body="Theirs")
    await page.keyboard.press("ControlOrMeta+s")
    dialog = page.get_by_role("dialog", name="Version 2 was saved meanwhile")
    await expect(dialog.get_by_role("textbox", name="Version 2")).to_have_text("Theirs")
    await expect(dialog.get_by_role("textbox", name="Yours")).to_have_text("Mine")
    if choice == "mine":
        await dialog.get_by_role("button", name="Save mine as the newest version").click()
    else:
        await dialog.get_by_role("button", name="Drop mine, open version 2").click()
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_text("Nothing to save")).to_be_visible()
    await expect(editor(page)).to_have_text("Mine" if choice == "mine" else "Theirs")
    page_of = await client.operator.must("GET", f"/templates?tenant_id={client.tenant.id}&event_type={kind}")
    bodies = [one["body"] for one in page_of["data"]]
    assert bodies == (["Mine", "Theirs", "Hi {{name}}"] if choice == "mine" else ["Theirs", "Hi {{name}}"])


async def test_completion_by_keyboard(visit: Visit, client: Client) -> None:
    """Variables of the sample, helpers, partials and elements; Tab indents, Escape and then Tab leaves."""
    page, kind = visit.page, event_type("complete")
    visit.allow(REFUSED)
    name = f"sign{uuid4().hex[:6]}"
    part = {"tenant_id": client.tenant.id, "kind": "PARTIAL", "name": name, "body": "Acorn"}
    await client.operator.must("POST", "/template-parts", json=part)
    sample = {"name": "VIP", "variables": {"customerName": "Ada", "order": {"total": 7}}}
    await client.operator.must(
        "POST", "/template-samples", json={**sample, "tenant_id": client.tenant.id, "event_type": kind}
    )
    first = await create(client, kind, channel="EMAIL", subject="S", body="<mjml><mj-body></mj-body></mjml>")
    await visit.open(f"/templates/{first['id']}/edit", f"Edit {kind}")
    await expect(page.get_by_label("Sample", exact=True)).to_have_value(re.compile("."))
    options = page.get_by_role("listbox").get_by_role("option")

    async def complete(typed: str, expected: str) -> str:
        await write(page, "")
        await page.keyboard.type(typed)
        await expect(options.filter(has_text=expected).first).to_be_visible()
        await page.evaluate(LATER)
        for _ in range(30):
            if expected in await options.and_(page.locator("[aria-selected=true]")).inner_text():
                break
            await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        return str(await editor(page).inner_text())

    assert await complete("Hi {{cust", "customerName") == "Hi {{customerName}}"
    assert await complete("{{order.", "order.total") == "{{order.total}}"
    assert await complete("{{formatD", "formatDate") == "{{formatDate }}"
    assert await complete("{{> si", name) == "{{> " + name + "}}"
    assert (await complete("<mjml><mj-bo", "mj-body")).startswith("<mjml><mj-body")
    assert (await complete("{{#i", "if")).startswith("{{#if value}}")

    # The closing tag that the editor has written is typed over, and one that belongs to something else is not.
    for typed in ("<mj-text>Hi</mj-text>", "<p><p>a</p></p>"):
        await write(page, "")
        await page.keyboard.type(typed)
        await expect(editor(page)).to_have_text(typed)
    await write(page, "<p><p>a</p>")
    await page.keyboard.press("ControlOrMeta+Home")
    await page.keyboard.type("<p>b</p>")
    await expect(editor(page)).to_have_text("<p>b</p><p><p>a</p>")

    await write(page, "a")
    await page.keyboard.press("Home")
    await page.keyboard.press("Tab")
    await expect(editor(page)).to_have_text("  a")
    await page.keyboard.press("Escape")
    await page.keyboard.press("Tab")
    await expect(editor(page)).not_to_be_focused()


async def test_versions_and_languages(visit: Visit, client: Client) -> None:
    """Compared, rolled back, deactivated by name; a language begins with a copy."""
    page, kind = visit.page, event_type("versions")
    first = await create(client, kind, body="one\ntwo\nthree", activate=True)
    second = await create(client, kind, body="one\n2\nthree", activate=True)
    await visit.open(f"/templates/{second['id']}", kind)
    await page.get_by_label("Compare with").select_option(first["id"])
    await expect(page.get_by_role("textbox", name="Version 1, Default language")).to_contain_text("two")
    await page.get_by_role("button", name="Roll back to version 1").click()
    await expect(page.get_by_role("button", name="Activate version 2")).to_be_visible()
    await page.get_by_role("button", name="Deactivate version 1").click()
    dialog = page.get_by_role("dialog", name="Deactivate version 1?")
    await expect(dialog.get_by_role("button", name="Deactivate")).to_be_disabled()
    await dialog.get_by_label(f"Type {kind} to confirm").fill(kind)
    await dialog.get_by_role("button", name="Deactivate").click()
    await expect(page.get_by_role("button", name="Activate version 1")).to_be_visible()

    await page.get_by_role("button", name="Add a language").click()
    adding = page.get_by_role("dialog", name="Add a language")
    await adding.get_by_label("Language", exact=True).fill("pt-BR")
    await adding.get_by_role("button", name="Open the editor").click()
    await visit.settled(f"New template for {kind}")
    await expect(editor(page)).to_contain_text("three")
    await write(page, "um")
    await page.get_by_role("button", name="Save and activate").click()
    await visit.settled(f"Edit {kind}")
    found = await client.operator.must("GET", f"/template-languages?tenant_id={client.tenant.id}&search={kind}")
    assert [(one["locale"], one["active"] is not None) for one in found["data"]] == [(None, False), ("pt-BR", True)]


async def test_a_layout_is_given_to_all_that_use_it(visit: Visit, client: Client) -> None:
    """What works gets a new version, and what does not is named."""
    page, name = visit.page, f"base{uuid4().hex[:6]}"
    frame = "<mjml><mj-body>{{{content}}}</mj-body></mjml>"
    part = {"tenant_id": client.tenant.id, "kind": "LAYOUT", "name": name, "body": frame}
    made = await client.operator.must("POST", "/template-parts", json=part)
    section = "<mj-section><mj-column><mj-text>x</mj-text></mj-column></mj-section>"
    kind = event_type("layout")
    await create(client, kind, channel="EMAIL", subject="S", body=section, layout=name, activate=True)
    await visit.open(f"/templates/parts/{made['id']}", f"Layout {name}")
    users = page.get_by_role("region", name="Templates that use it")
    await expect(users.get_by_role("link", name=kind)).to_be_visible()
    await write(page, frame.replace("<mj-body>", '<mj-body background-color="#eeeeee">'))
    await page.get_by_role("button", name="Save version").click()
    await expect(users.get_by_text("older")).to_be_visible()
    await users.get_by_role("button", name="Give all of them version 2").click()
    await expect(users.get_by_text("1 template has a new version with it.")).to_be_visible()
    await expect(users.get_by_text("newest")).to_be_visible()


async def test_a_test_of_a_global_type_works_at_once(visit: Visit, client: Client) -> None:
    """Without a template of one's own and without a sample."""
    page = visit.page
    await visit.open(f"/test-send?tenant={client.tenant.id}&channel=SMS", "Test send")
    template = page.get_by_label("Template")
    option = template.get_by_role("option").filter(has_text="global.info")
    await template.select_option(str(await option.first.get_attribute("value")))
    await page.get_by_label("Phone number").fill("+254712345678")
    await page.get_by_role("button", name="Send the test").click()
    await expect(page.get_by_text("The test is through.")).to_be_visible()
    await page.get_by_role("link", name="Open the message").click()
    await expect(page).to_have_url(re.compile(r"/console/messages/[0-9a-f-]{36}"))


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_everybody_can_use_the_editor(visit: Visit, client: Client) -> None:
    """axe-core finds nothing serious in the editor, with errors and without, nor in a template's page."""
    visit.allow(REFUSED)
    page, kind = visit.page, event_type("everybody")
    body = (
        "<mjml><mj-body><mj-section><mj-column><mj-text>Hi {{name}}</mj-text></mj-column></mj-section></mj-body></mjml>"
    )
    first = await create(client, kind, channel="EMAIL", subject="S", body=body)
    await visit.open(f"/templates/{first['id']}", kind)
    await expect(page.get_by_role("textbox", name="Body of version 1")).to_be_visible()
    await visit.assert_accessible()
    await visit.assert_well_formed()
    await visit.open(f"/templates/{first['id']}/edit", f"Edit {kind}")
    await expect(page.get_by_title("Preview of the e-mail")).to_be_visible()
    await visit.assert_accessible()
    await visit.assert_well_formed()
    await write(page, body.replace("</mj-text>", ""))
    await expect(page.get_by_role("region", name="Errors")).to_be_visible()
    await visit.assert_accessible()
    await visit.assert_well_formed()


async def test_another_browser_has_no_draft(open_visit: OpenVisit, client: Client) -> None:
    """A draft is of one browser; a version is for everybody."""
    kind = event_type("browser")
    first = await create(client, kind)
    async with open_visit() as one, open_visit() as other:
        await one.open(f"/templates/{first['id']}/edit", f"Edit {kind}")
        await write(one.page, "draft")
        await other.open(f"/templates/{first['id']}/edit", f"Edit {kind}")
        await expect(editor(other.page)).to_have_text("Hi {{name}}")
