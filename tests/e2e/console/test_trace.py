"""What happened to a message, and why: its page in the console."""

import email
import email.policy
import json
import re
import shlex
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from playwright.async_api import expect

from checks.client import Client
from tests.conftest import free_port
from tests.e2e.console.visit import LOOKS, Visit
from tests.e2e.console.world import MARKUP, SHOWN, World, assert_text_only, region
from tests.waiting import eventually


@asynccontextmanager
async def receiving(status: int) -> AsyncIterator[tuple[str, list[bytes], list[int]]]:
    """An endpoint on this machine that answers with markup: its URL, what it got, and its status, to be changed."""
    got: list[bytes] = []
    answers = [status]

    async def receive(request: web.Request) -> web.Response:
        got.append(await request.read())
        return web.Response(status=answers[-1], text=MARKUP, headers={"X-Note": "<b>note</b>"})

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
    await expect(frame.get_by_role("heading")).to_contain_text(SHOWN)
    await visit.assert_well_formed()
    await visit.assert_accessible()
    await mail.get_by_role("tab", name="Support (2)").click()
    await expect(mail.get_by_text("css_position")).to_be_visible()
    await mail.get_by_role("tab", name="Headers").click()
    await expect(mail.get_by_text("X-Clarion-Delivery")).to_be_visible()
    for channel, card in (("SMS", "What was sent: SMS"), ("Push", "What was sent: Push")):
        await happened.get_by_role("region", name=channel).get_by_role("link", name="What was sent").click()
        await expect(region(page, card)).to_contain_text(SHOWN)
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


async def test_a_failed_webhook_shows_its_answer_and_is_retried(visit: Visit, world: World) -> None:
    """The call, its answer as text, and after the repair a retry that the open page shows by itself."""
    async with receiving(500) as (url, got, answers):
        base = f"/tenants/{world.tenant.id}"
        made = {"url": url, "headers": {"X-Key": "open sesame"}, "retry_delays_s": [1]}
        endpoint = await world.must("POST", f"{base}/endpoints", made)
        sent = await world.must("POST", f"{base}/endpoints/{endpoint['id']}/test", {"payload": {"note": MARKUP}})
        await world.finished(sent["event_id"])
        page = visit.page
        await visit.open(f"/messages/{sent['event_id']}")
        webhook = region(page, "What happened").get_by_role("region", name="Webhook")
        await expect(webhook).to_contain_text("answered with another status than 2xx")
        fold = webhook.get_by_text("The call and its answer: status 500").last
        await fold.click()
        await expect(webhook.get_by_text(SHOWN).last).to_be_visible()
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
        assert json.loads(got[-1]) == {"note": MARKUP}


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
    await expect(answer).to_contain_text(re.compile(r"^Sent again as a new message at [\d:.]+: see there"))
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
    await expect(happened.get_by_role("region", name="E-mail")).to_contain_text('add "EMAIL" to the "channels"')
    await expect(happened.get_by_role("region", name="Push", exact=True)).not_to_contain_text("Sent")
    # The list says so of the first one, and it is not sent a third time by one click.
    replayed = page.url.partition("/messages/")[2].partition("?")[0]
    await visit.open(f"/messages?tenant={world.tenant.id}", "Messages")
    row = page.get_by_role("row").filter(has_text=event_id[-6:])
    await expect(row).to_contain_text(re.compile("skipped.*sent again"))
    await expect(page.get_by_role("row").filter(has_text=replayed[-6:])).not_to_contain_text("sent again")
    await row.get_by_role("link", name="note").click()
    await page.get_by_role("button", name="Replay what was not sent").click()
    question = page.get_by_role("dialog", name="Send it once more?")
    await expect(question).to_contain_text(re.compile(r"It was sent again at [\d:.]+\. .*Send it once more\?"))
    await visit.assert_accessible()
    await question.get_by_role("button", name="Cancel").click()
    found = await world.must("GET", f"/events/{event_id}")
    assert [one["detail"] for one in found["timeline"] if one["step"] == "replayed"] == [replayed]
    await page.get_by_role("button", name="Replay what was not sent").click()
    await question.get_by_role("button", name="Send it once more").click()
    await expect(page).not_to_have_url(re.compile(f"{event_id}|{replayed}"))
    await expect(happened.get_by_role("region", name="SMS")).to_contain_text("Sent")


async def test_a_mail_that_never_arrived_says_so(visit: Visit, client: Client) -> None:
    """What was made for it is shown as that; beside its recipient the event carried nothing."""
    nowhere = {"host": "127.0.0.1", "port": free_port(), "tls": "none", "from_email": "a@example.com"}
    tenant = await client.operator.create_tenant(f"Ash {uuid.uuid4().hex[:8]}", providers={"EMAIL": ("smtp", nowhere)})
    await client.operator.create_template(tenant, "note", "EMAIL", "<p>Hello</p>", subject="Hello")
    person = {"userId": "ada", "recipientEmail": "ada@example.com"}
    event_id = await tenant.accept({"eventType": "note", "payload": person, "channels": ["EMAIL"]})
    await World(client, tenant).finished(event_id)
    page = visit.page
    await visit.open(f"/messages/{event_id}", "note")
    mail = region(page, "What was to be sent: E-mail")
    await expect(mail).to_contain_text("an attempt that failed: nobody confirmed that it arrived")
    await expect(mail).to_contain_text("These are the bytes that the mail server was to get.")
    carried = region(page, "What the event carried")
    await expect(carried.get_by_role("heading", name="Further payload")).to_be_visible()
    await expect(carried).to_contain_text("Nothing besides the recipient, who is named above.")


async def test_a_replay_of_what_is_still_tried_is_warned_of(visit: Visit, world: World) -> None:
    """The original is sent, too."""
    async with receiving(500) as (url, _, _):
        base = f"/tenants/{world.tenant.id}"
        endpoint = await world.must("POST", f"{base}/endpoints", {"url": url, "retry_delays_s": [600]})
        sent = await world.must("POST", f"{base}/endpoints/{endpoint['id']}/test", {"payload": {}})

        async def is_retrying() -> bool:
            found = await world.client.operator.call("GET", f"/events/{sent['event_id']}")
            return found.status == 200 and found.body["counts"].get("retrying", 0) > 0

        await eventually(is_retrying)
        await visit.open(f"/messages/{sent['event_id']}")
        await visit.page.get_by_role("button", name="Replay all").click()
        question = visit.page.get_by_role("dialog")
        await expect(question).to_contain_text("The original is still being tried.")
        await expect(question).to_contain_text("If it succeeds as well, people receive the message twice.")


async def test_a_copied_command_sends_the_event_once_more(visit: Visit, world: World) -> None:
    """As somebody would paste it, with their own key: it is copied at once, and sends anew each time."""
    event_id = await world.send(channels=("PUSH",), note="it's")
    page = visit.page
    await visit.open(f"/messages/{event_id}", "note")
    await page.get_by_role("button", name="Copy as curl").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("status")).to_have_text("This command is in the clipboard.")
    await expect(dialog).to_contain_text("Each time the command runs, it makes a new event")
    words = shlex.split((await page.evaluate("navigator.clipboard.readText()")).replace("\\\n", " "))
    assert words[:4] == ["curl", "-X", "POST", f"{visit.url}/api/v1/events/trigger"]
    assert "x-api-key: YOUR_API_KEY" in words
    assert [word for word in words if word.startswith("X-Idempotency-Key: copy-$(")]
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
