"""What happened to a message, and why: its page in the console, one recipient's page, and suppressions."""

import email
import email.policy
import json
import re
import shlex
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Page, expect

from checks.client import Client, Tenant
from tests.conftest import free_port
from tests.e2e.console.visit import LOOKS, Visit
from tests.waiting import eventually

# What must stay text, wherever it stands.
_MARKUP = '<img src=x onerror="alert(1)"></script><b>Ada</b> \u202egnp'
_SHOWN = '<img src=x onerror="alert(1)">'


class World:
    """A tenant of the test's own, which sends e-mail, texts and pushes by sandboxes."""

    def __init__(self, client: Client, tenant: Tenant) -> None:
        self.client = client
        self.tenant = tenant

    async def must(self, method: str, path: str, body: Any = None) -> Any:
        """Return what a call of the admin API answers."""
        return await self.client.operator.must(method, path, json=body)

    async def equip(self) -> None:
        """Give it templates."""
        bodies = {
            "EMAIL": '<h1 style="position:absolute">Dear {{name}}</h1><img src="https://pictures.example/x.png">',
            "SMS": "Dear {{name}}",
            "PUSH": "Dear {{name}}",
        }
        for channel, body in bodies.items():
            template = {"tenant_id": self.tenant.id, "event_type": "note", "channel": channel, "body": body}
            await self.must(
                "POST", "/templates", {**template, "subject": "A note" * (channel != "SMS"), "activate": True}
            )

    async def send(self, user_id: str = "ada", *, channels: tuple[str, ...] = (), **payload: str) -> str:
        """Trigger an event and return its id once it is finished."""
        event: dict[str, Any] = {
            "eventType": "note",
            "payload": {"userId": user_id, "recipientEmail": "ada@example.com", "recipientPhone": "+254712345678"},
            "variables": {"name": _MARKUP, "once": uuid.uuid4().hex},
        }
        event["payload"] |= payload
        if channels:
            event["channels"] = list(channels)
        event_id = await self.tenant.accept(event)
        await self.finished(event_id)
        return event_id

    async def finished(self, event_id: str) -> dict[str, Any]:
        """Return an event once it is finished and its contents are written."""

        async def is_over() -> dict[str, Any]:
            found = await self.client.operator.call("GET", f"/events/{event_id}")
            if found.status != 200 or not found.body["finished_at"]:
                return {}
            for delivery in found.body["deliveries"]:
                content = await self.must("GET", f"/deliveries/{delivery['id']}/content")
                if content["missing"] == "not_written_yet":
                    return {}
            return dict(found.body)

        event: dict[str, Any] = await eventually(is_over)
        return event


@pytest_asyncio.fixture(loop_scope="session")
async def world(client: Client) -> World:
    """A tenant with providers and templates."""
    made = World(client, await client.operator.create_tenant(f"Walnut {uuid.uuid4().hex[:8]}"))
    await made.equip()
    return made


def region(page: Page, name: str) -> Any:
    """Return a part of the page by its heading."""
    return page.get_by_role("region", name=name)


async def assert_text_only(visit: Visit) -> None:
    """Fail if any markup of the data became elements of the page."""
    assert await visit.page.locator("main img, main b, main script").count() == 0


@asynccontextmanager
async def receiving(status: int) -> AsyncIterator[tuple[str, list[bytes], list[int]]]:
    """An endpoint on this machine that answers with markup: its URL, what it got, and its status, to be changed."""
    got: list[bytes] = []
    answers = [status]

    async def receive(request: web.Request) -> web.Response:
        got.append(await request.read())
        return web.Response(status=answers[-1], text=_MARKUP, headers={"X-Note": "<b>note</b>"})

    app = web.Application()
    app.router.add_post("/hook", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}/hook", got, answers
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_a_message_shows_its_whole_way_and_what_was_sent(visit: Visit, world: World) -> None:
    """Every step with its time and service, and each channel's content; markup in the data stays text."""
    event_id = await world.send()
    page = visit.page
    await visit.open(f"/messages/{event_id}", "note")
    happened = region(page, "What happened")
    for step in ("Accepted", "Routed", "Queued", "Rendered", "Sent"):
        await expect(happened.get_by_text(step, exact=True).first).to_be_visible()
    await expect(happened.get_by_role("region")).to_have_count(3)
    answer = region(page, "In one sentence")
    await expect(answer).to_contain_text(
        re.compile(r"^Sent by e-mail, by SMS and by push to ada .+s after it was accepted\.$")
    )
    mail = region(page, "What was sent: E-mail")
    await expect(mail.get_by_text("A note", exact=True)).to_be_visible()
    frame = page.frame_locator("iframe[title='The e-mail']").frame_locator("iframe")
    await expect(frame.get_by_role("heading")).to_contain_text(_SHOWN)
    await visit.assert_well_formed()
    await visit.assert_accessible()
    await mail.get_by_role("tab", name="Support (2)").click()
    await expect(mail.get_by_text("css_position")).to_be_visible()
    await mail.get_by_role("tab", name="Headers").click()
    await expect(mail.get_by_text("X-Clarion-Delivery")).to_be_visible()
    for channel, card in (("SMS", "What was sent: SMS"), ("Push", "What was sent: Push")):
        await happened.get_by_role("region", name=channel).get_by_role("link", name="What was sent").click()
        await expect(region(page, card)).to_contain_text(_SHOWN)
    await assert_text_only(visit)
    assert re.search(r"delivery=", page.url)


async def test_the_file_of_a_mail_is_the_mail(visit: Visit, world: World) -> None:
    """Downloaded, with the name of its delivery."""
    event_id = await world.send(channels=("EMAIL",))
    await visit.open(f"/messages/{event_id}", "note")
    async with visit.page.expect_download() as started:
        await visit.page.get_by_role("link", name="Download as .eml").click()
    download = await started.value
    assert download.suggested_filename.endswith(".eml")
    raw = (await download.path()).read_bytes()
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert (message["To"], message["Subject"]) == ("ada@example.com", "A note")


async def test_a_mail_is_shown_narrow_and_without_images_of_others(visit: Visit, world: World) -> None:
    """Until somebody asks for them."""
    event_id = await world.send(channels=("EMAIL",))
    page = visit.page
    await visit.open(f"/messages/{event_id}", "note")
    await expect(page.get_by_role("button", name="Load images")).to_be_visible()
    await page.get_by_label("Width").select_option("375")
    box = await page.locator("iframe[title='The e-mail']").bounding_box()
    assert box is not None
    assert box["width"] == pytest.approx(375, abs=4)
    # With less room than the mail needs, it keeps its width and is shown smaller, which the page says.
    await page.set_viewport_size({"width": 390, "height": 900})
    await page.get_by_label("Width").select_option("600")
    await expect(page.get_by_text("there is no room for 600 pixels")).to_be_visible()
    frame = page.locator("iframe[title='The e-mail']")
    assert await frame.evaluate("(it) => it.clientWidth") == 600
    box = await frame.bounding_box()
    assert box is not None
    assert box["width"] < 390


async def test_a_skip_says_why_and_what_to_do(visit: Visit, world: World) -> None:
    """In the words of the API."""
    event_id = await world.send(recipientPhone="")
    await visit.open(f"/messages/{event_id}", "note")
    sms = region(visit.page, "What happened").get_by_role("region", name="SMS")
    await expect(sms).to_contain_text("The request has no phone number of the recipient.")
    await expect(sms).to_contain_text("What to do: Send the recipient's phone number")
    answer = region(visit.page, "In one sentence")
    await expect(answer).to_contain_text(
        "Partly sent to ada: the e-mail and the push were sent; the SMS was skipped because the request has no phone"
    )
    await expect(answer.get_by_role("link", name="Open the recipient")).to_be_visible()
    await sms.get_by_role("link", name="Why nothing was sent").click()
    nothing = region(visit.page, "Nothing was sent: SMS")
    await expect(nothing).to_contain_text("The reason: The request has no phone number of the recipient.")
    await expect(nothing).to_contain_text("What to do: Send the recipient's phone number")
    await expect(region(visit.page, "What was sent: SMS")).to_have_count(0)


async def test_the_tenant_of_a_pasted_link_is_in_sight(visit: Visit, world: World) -> None:
    """Of a message, its provider, its template and its recipient; another tenant is a choice that leads to its list."""
    event_id = await world.send(channels=("SMS",))
    other = await world.client.operator.create_tenant(f"Hazel {uuid.uuid4().hex[:8]}")
    found = await world.must("GET", f"/events/{event_id}")
    used = next(one["provider_id"] for one in found["timeline"] if one["provider_id"])
    version = next(one["template_version_id"] for one in found["timeline"] if one["template_version_id"])
    page, own = visit.page, world.tenant
    switcher = page.get_by_role("banner").get_by_role("combobox", name=f"Tenant: {own.name}", exact=True)
    for path in (f"/messages/{event_id}", f"/providers/{used}", f"/templates/{version}", f"/tenants/{own.id}"):
        await visit.open(path)
        await expect(switcher).to_be_visible()
        await expect(page).to_have_url(re.compile(f"tenant={own.id}"))
    # A wrong tenant in the link looks like "nothing there": the object's own one takes its place.
    await visit.open(f"/messages/{event_id}?tenant={other.id}", "note")
    await expect(switcher).to_be_visible()
    await switcher.click()
    await page.get_by_role("combobox", name="Find a tenant").fill(other.name)
    await page.get_by_role("option", name=other.name).click()
    await visit.settled("Messages")
    await expect(page.get_by_role("heading", name="No messages yet")).to_be_visible()
    assert f"tenant={other.id}" in page.url


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


async def test_a_failed_webhook_shows_its_answer_and_is_retried(visit: Visit, world: World) -> None:
    """The call, its answer as text, and after the repair a retry that the open page shows by itself."""
    async with receiving(500) as (url, got, answers):
        base = f"/tenants/{world.tenant.id}"
        made = {"url": url, "headers": {"X-Key": "open sesame"}, "retry_delays_s": [1]}
        endpoint = await world.must("POST", f"{base}/endpoints", made)
        sent = await world.must("POST", f"{base}/endpoints/{endpoint['id']}/test", {"payload": {"note": _MARKUP}})
        await world.finished(sent["event_id"])
        page = visit.page
        await visit.open(f"/messages/{sent['event_id']}")
        webhook = region(page, "What happened").get_by_role("region", name="Webhook")
        await expect(webhook).to_contain_text("answered with another status than 2xx")
        fold = webhook.get_by_text("The call and its answer: status 500").last
        await fold.click()
        await expect(webhook.get_by_text(_SHOWN).last).to_be_visible()
        content = region(page, "What was sent: Webhook")
        await expect(content).to_contain_text("webhook-signature")
        await expect(content).to_contain_text("***")
        assert "open sesame" not in await page.content()
        await assert_text_only(visit)
        await visit.assert_accessible()
        answers.append(204)
        await page.get_by_role("button", name="Retry this delivery").click()
        await expect(webhook.get_by_text("sent", exact=True)).to_be_visible()
        await expect(webhook.get_by_text("replay 1").last).to_be_visible()
        await expect(region(page, "In one sentence")).to_contain_text("Sent by webhook to an endpoint")
        assert json.loads(got[-1]) == {"note": _MARKUP}


async def test_an_event_is_replayed(visit: Visit, world: World) -> None:
    """As a new event, whose page opens; each of the two pages leads to the other."""
    event_id = await world.send(channels=("SMS",))
    page = visit.page
    await visit.open(f"/messages/{event_id}", "note")
    await page.get_by_role("button", name="Replay all").click()
    question = page.get_by_role("dialog")
    await visit.assert_accessible()
    await question.get_by_role("button", name="Replay all").click()
    await expect(page).not_to_have_url(re.compile(event_id))
    await expect(region(page, "Event").get_by_role("link", name=event_id)).to_be_visible()
    await expect(region(page, "What happened").get_by_text("Sent", exact=True)).to_be_visible()
    made = page.url.partition("/messages/")[2].partition("?")[0]
    answer = region(page, "In one sentence")
    await expect(answer).to_contain_text("It is a replay of an earlier message.")
    await answer.get_by_role("link", name="an earlier message").click()
    await expect(page).to_have_url(re.compile(event_id))
    await expect(answer).to_contain_text("It was sent again as a new message")
    await answer.get_by_role("link", name="a new message").click()
    await expect(page).to_have_url(re.compile(made))


async def test_what_failed_is_replayed_alone(visit: Visit, world: World) -> None:
    """After the number was added to nothing: only the channel that failed is asked for."""
    template = {"tenant_id": world.tenant.id, "event_type": "note", "channel": "SMS", "activate": True}
    await world.must("POST", "/templates", {**template, "body": "{{#each name}}{{/each}}"})
    event_id = await world.send(channels=("SMS", "PUSH"))
    await world.must("POST", "/templates", {**template, "body": "Dear {{name}}"})
    page = visit.page
    await visit.open(f"/messages/{event_id}", "note")
    await page.get_by_role("button", name="Replay what was not sent").click()
    await expect(page).not_to_have_url(re.compile(event_id))
    happened = region(page, "What happened")
    await expect(happened.get_by_role("region", name="SMS")).to_contain_text("Sent")
    await expect(happened.get_by_role("region", name="Push", exact=True)).not_to_contain_text("Sent")


async def test_a_copied_command_sends_the_event_once_more(visit: Visit, world: World) -> None:
    """As somebody would paste it, with their own key."""
    event_id = await world.send(channels=("PUSH",), note="it's")
    page = visit.page
    await visit.open(f"/messages/{event_id}", "note")
    await page.get_by_role("button", name="Copy as curl").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Copy the command").click()
    words = shlex.split((await page.evaluate("navigator.clipboard.readText()")).replace("\\\n", " "))
    assert words[:4] == ["curl", "-X", "POST", f"{visit.url}/api/v1/events/trigger"]
    assert "x-api-key: YOUR_API_KEY" in words
    body = json.loads(words[words.index("--data-raw") + 1])
    assert body["payload"]["note"] == "it's"
    answer = await world.tenant.trigger(body, headers={"X-Idempotency-Key": uuid.uuid4().hex})
    assert (answer.status, answer.event_id != event_id) == (200, True)


async def test_many_deliveries_are_a_list_with_a_filter(visit: Visit, world: World) -> None:
    """Page by page; the one that is opened shows its own steps and content."""
    audience = [{"recipient": {"user_id": f"u{number:03}"}} for number in range(60)]
    audience[7]["recipient"]["email"] = "u007@example.com"
    sent = await world.must(
        "POST",
        f"/tenants/{world.tenant.id}/events",
        {"event_type": "note", "audience": audience, "variables": {"name": "all"}, "channels": ["PUSH", "EMAIL"]},
    )
    await world.finished(sent["event_id"])
    page = visit.page
    await visit.open(f"/messages/{sent['event_id']}", "note")
    table = page.get_by_role("table", name="Deliveries")
    await expect(table.get_by_role("row")).to_have_count(51)
    await page.get_by_role("button", name="Show more").click()
    await expect(table.get_by_role("row")).to_have_count(101)
    await visit.assert_accessible()
    await page.get_by_label("Status").select_option("sent")
    await expect(table.get_by_role("link", name="u007@example.com")).to_be_visible()
    await expect(region(page, "In one sentence")).to_contain_text("deliveries 61 were sent")
    await table.get_by_role("link", name="u007@example.com").click()
    await expect(region(page, "What was sent: E-mail")).to_contain_text("u007@example.com")
    assert "status=sent" in page.url


async def test_what_is_not_there_says_so(visit: Visit) -> None:
    """An id of nobody, and a word that is no id."""
    visit.allow("status of (404|422)")
    for event_id in (str(uuid.uuid4()), "nonsense"):
        await visit.open(f"/messages/{event_id}", "Not found")
        await expect(visit.page.get_by_role("link", name="Go to Messages")).to_be_visible()


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_one_recipients_page(visit: Visit, world: World) -> None:
    """What is stored of them, what they got, their inbox, suppressions of their addresses."""
    stored = {"email": "ada@example.com", "name": _MARKUP, "tags": ["vip"], "data": {"plan": _MARKUP}}
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
    await expect(region(page, "Stored")).to_contain_text(_SHOWN)
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
    await form.get_by_label("Note").fill(_MARKUP)
    await form.get_by_role("button", name="Suppress", exact=True).click()
    row = page.get_by_role("row").filter(has_text="manual")
    await expect(row).to_contain_text(_SHOWN)
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
