"""What went wrong, in the console: dead letters and their replay, refused requests, what a tenant lacks, alerts."""

import re
import uuid
from typing import Any

import pytest
from playwright.async_api import expect

from checks.client import Client, Tenant
from stack.client import Running
from tests.e2e.console.visit import LOOKS, Visit
from tests.integration.senders.mail_servers import Catcher, serving
from tests.waiting import eventually

_MARKUP = '<img src=x onerror=alert(1)><b>"Ada"</b>'


def _mail(number: int, **more: Any) -> dict[str, Any]:
    """An event that the platform has a mail for."""
    return {
        "eventType": "global.info",
        "payload": {"userId": f"u{number}", "recipientEmail": "ada@example.com"},
        "variables": {"title": f"Number {number}", "message": "Hello.", "run": uuid.uuid4().hex},
        "channels": ["EMAIL"],
        **more,
    }


async def _broken(client: Client, running: Running, letters: int) -> tuple[Tenant, str]:
    """A tenant whose mail server has no STARTTLS, with so many dead letters; and its provider's id."""
    host, _, port = running.state.processes["mail"].address.rpartition(":")
    settings = {"host": host, "port": int(port), "tls": "starttls", "from_email": "a@walnut.example"}
    name = f"Walnut {uuid.uuid4().hex[:8]}"
    tenant = await client.operator.create_tenant(name, providers={"EMAIL": ("smtp", settings)})
    (provider,) = (await client.operator.must("GET", f"/providers?tenant_id={tenant.id}"))["data"]
    for number in range(letters):
        await tenant.accept(_mail(number))

    async def died() -> bool:
        found = await client.operator.must("GET", f"/dead-letters/count?tenant_id={tenant.id}")
        return bool(found["count"] == letters)

    assert await eventually(died, 120, every=0.5)
    return tenant, provider["id"]


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_all_dead_letters_that_match_are_replayed(visit: Visit, client: Client, running: Running) -> None:
    """Read why, repair the provider, replay everything that the filter finds: not the page, and with its progress."""
    tenant, provider_id = await _broken(client, running, 3)
    page = visit.page
    await visit.open(f"/dead-letters?tenant={tenant.id}", "Dead letters")
    main = page.get_by_role("main")
    await expect(main.get_by_text("3 match.")).to_be_visible()
    rows = page.get_by_role("table", name="Dead letters, newest first")
    # In words, whether or not the provider was paused by then, and with what the server answered.
    words = re.compile("No secure connection to the provider was possible|because it failed several times in a row")
    await expect(rows.get_by_text(words).first).to_be_visible()
    await expect(rows.get_by_text("STARTTLS").first).to_be_visible()
    await visit.assert_accessible()
    await visit.assert_well_formed()
    await visit.show_filters()
    await main.get_by_label("Event type").fill("order.lost")
    await expect(page.get_by_role("heading", name="No dead letters match")).to_be_visible()
    assert "event_type=order.lost" in page.url
    await page.get_by_role("button", name="Clear the filters").click()
    reason = main.get_by_label("Reason")
    # Each reason that there is, with its number; a replay clears the filter again.
    option = reason.get_by_role("option").nth(1)
    await expect(option).to_have_text(re.compile(r"\([1-3]\)$"))
    await reason.select_option(index=1)
    await expect(page).to_have_url(re.compile(r"reason=provider_"))
    await reason.select_option(label="Any")
    await main.get_by_label("Channel").select_option("EMAIL")
    await expect(page).to_have_url(re.compile(r"channel=EMAIL"))
    await page.reload()
    await expect(main.get_by_text("3 match.")).to_be_visible()

    await client.operator.must("PATCH", f"/providers/{provider_id}", json={"settings": {"tls": "none"}})
    await page.get_by_role("button", name="Send all 3 again").click()
    dialog = page.get_by_role("dialog", name="Send 3 dead letters again")
    await expect(dialog).to_contain_text(tenant.name)
    await visit.assert_accessible()
    await dialog.get_by_role("button", name="Send them again").click()
    replays = page.get_by_role("region", name="Sent again")
    await expect(replays.get_by_text("3 of 3 sent")).to_be_visible()
    await expect(replays.get_by_text("done")).to_be_visible()
    await expect(main.get_by_text("0 match.")).to_be_visible()
    await visit.assert_accessible()
    await visit.assert_well_formed()


async def test_all_that_failed_for_good_is_replayed(visit: Visit, client: Client) -> None:
    """It is no dead letter: the screen says so and leads there, where everything that matches is sent again."""
    page, server = visit.page, Catcher(rcpt="550 5.7.1 Not from here")
    async with serving(server) as port:
        settings = {"host": "127.0.0.1", "port": port, "tls": "none", "from_email": "a@walnut.example"}
        name = f"Refused {uuid.uuid4().hex[:8]}"
        tenant = await client.operator.create_tenant(name, providers={"EMAIL": ("smtp", settings)})
        events = [await tenant.accept(_mail(number)) for number in range(3)]

        async def all_failed() -> bool:
            found = [await client.operator.finished(event) for event in events]
            return all(one is not None and one["deliveries"][0]["status"] == "failed" for one in found)

        assert await eventually(all_failed, 60, every=0.5)
        await visit.open(f"/dead-letters?tenant={tenant.id}", "Dead letters")
        await page.get_by_role("link", name="Messages that failed", exact=True).click()
        await visit.settled("Messages")
        await expect(page.get_by_role("table", name="Messages, newest first").get_by_role("row")).to_have_count(4)
        server.rcpt = ""
        await page.get_by_role("button", name="Send all that match again …").click()
        dialog = page.get_by_role("dialog", name="Send all failed messages that match again")
        await expect(dialog).to_contain_text(f"Of 3 messages of {name}")
        await visit.assert_accessible()
        await dialog.get_by_role("button", name="Send them again").click()
        replays = page.get_by_role("region", name="Sent again")
        await expect(replays.get_by_text("3 sent")).to_be_visible()
        await expect(replays.get_by_text("done")).to_be_visible()

        async def all_arrived() -> bool:
            return len(server.envelopes) == len(events)

        assert await eventually(all_arrived, 60, every=0.5)


async def test_a_replay_is_paused_and_canceled(visit: Visit, client: Client, running: Running) -> None:
    """While it waits for its pace: it says so, goes on, and ends when somebody cancels it."""
    tenant, _ = await _broken(client, running, 3)
    await client.operator.must("PATCH", f"/tenants/{tenant.id}", json={"active": False})
    page = visit.page
    body = {"tenant_id": tenant.id, "per_second": 1}
    await client.operator.must("POST", "/dead-letters/replay", json=body)
    await visit.open(f"/dead-letters?tenant={tenant.id}", "Dead letters")
    replays = page.get_by_role("region", name="Sent again")
    await expect(replays.get_by_text("waits until the tenant is active")).to_be_visible()
    await replays.get_by_role("button", name="Pause sending").press("Enter")
    await expect(replays.get_by_text("paused")).to_be_visible()
    await replays.get_by_role("button", name="Resume sending").press("Enter")
    await expect(replays.get_by_text("running")).to_be_visible()
    await replays.get_by_role("button", name="Cancel sending").press("Enter")
    await expect(replays.get_by_text("cancelled")).to_be_visible()
    await expect(replays.get_by_role("button")).to_have_count(0)


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_refused_requests_lead_to_their_key(visit: Visit, client: Client) -> None:
    """A wrong field by its name, and a revoked key by its end, with what to do and a link to the keys."""
    tenant = await client.operator.create_tenant(f"Refused {uuid.uuid4().hex[:8]}")
    key = await client.operator.must("POST", f"/tenants/{tenant.id}/keys", json={"name": _MARKUP})
    assert (await tenant.trigger({**_mail(1), "eventType": ""})).status == 422
    await client.operator.must("DELETE", f"/tenants/{tenant.id}/keys/{key['id']}")
    assert (await tenant.trigger(_mail(2), headers={"x-api-key": key["api_key"]})).status == 401

    async def listed() -> bool:
        found = await client.operator.must("GET", f"/refused-requests?tenant_id={tenant.id}")
        return len(found["data"]) == 2

    assert await eventually(listed, 60, every=0.5)
    page = visit.page
    await visit.open(f"/refused?tenant={tenant.id}", "Refused requests")
    table = page.get_by_role("table", name="Refused requests, newest first")
    await expect(table.get_by_text("A field of the request is missing or wrong.")).to_be_visible()
    await expect(table.get_by_text("The API key was revoked.")).to_be_visible()
    await expect(table.get_by_text(f"…{key['last4']}")).to_be_visible()
    await expect(table.get_by_text(_MARKUP)).to_be_visible()
    assert key["api_key"] not in await page.content()
    await visit.assert_accessible()
    await visit.assert_well_formed()
    await visit.show_filters()
    reasons = page.get_by_role("main").get_by_label("Reason")
    await expect(reasons.get_by_role("option")).to_have_text(
        ["Any", "A field of the request is missing or wrong. (1)", "The API key was revoked. (1)"]
    )
    await page.get_by_role("main").get_by_label("Status").select_option("401")
    await expect(table.get_by_text("A field of the request is missing or wrong.")).to_have_count(0)
    await table.get_by_role("link").first.click()
    await visit.settled(tenant.name)
    await expect(page.get_by_text("does not exist any more: it was revoked")).to_be_visible()


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_a_tenant_says_what_it_lacks(visit: Visit, client: Client) -> None:
    """On its page, what blocks first, each with a link to where it is fixed; and what is used of its limits."""
    made = await client.operator.must(
        "POST", "/tenants", json={"name": f"Bare {uuid.uuid4().hex[:8]}", "rate_limit_per_minute": 10}
    )
    tenant = Tenant(client.tenant.http, made["id"], made["api_key"], made["name"])
    await client.operator.create_template(tenant, "order.paid", "EMAIL", "<p>Paid</p>", subject="Paid")
    await tenant.accept(_mail(1))
    page = visit.page
    await visit.open(f"/tenants/{tenant.id}", tenant.name)
    missing = page.get_by_role("region", name="What is missing")
    await expect(missing.get_by_text("Nothing is sent by EMAIL: the tenant has no provider for it.")).to_be_visible()
    used = page.get_by_role("region", name="Limits and what is used of them")
    await expect(used.get_by_text("Events in any minute")).to_be_visible()
    await used.get_by_text("Limits of which nothing is used (").click()
    await expect(used.get_by_role("meter", name="Stored recipients")).to_be_attached()
    await visit.assert_accessible()
    await visit.assert_well_formed()
    await missing.get_by_role("link", name="Create a provider.").click()
    await visit.settled("Providers")
    assert f"tenant={tenant.id}" in page.url
    body = {"tenant_id": tenant.id, "channel": "EMAIL", "kind": "sandbox"}
    await client.operator.must("POST", "/providers", json=body)
    await page.go_back()
    await visit.settled(tenant.name)
    await visit.assert_accessible()
    await missing.get_by_role("button", name="Check again").click()
    await expect(missing.get_by_text("goes to the sandbox")).to_be_visible()


async def test_a_new_tenant_sends_a_test_at_once(visit: Visit, client: Client) -> None:
    """From its first page: no provider, no template, and a push that arrives in an inbox."""
    made = await client.operator.must("POST", "/tenants", json={"name": f"Newcomer {uuid.uuid4().hex[:8]}"})
    page = visit.page
    await visit.open(f"/tenants/{made['id']}?tenant={made['id']}", made["name"])
    missing = page.get_by_role("region", name="What is missing")
    await expect(missing.get_by_role("link", name="Write a template, and activate it.")).to_be_visible()
    await missing.get_by_role("link", name="Send a test").click()
    await visit.settled("Test send")
    await page.get_by_label("User id").fill("user-1")
    await page.get_by_role("button", name="Send the test").click()

    async def arrived() -> bool:
        inbox = await client.operator.must("GET", f"/tenants/{made['id']}/recipients/user-1/inbox")
        return len(inbox["data"]) == 1

    assert await eventually(arrived, 60, every=0.5)


async def test_alerts_are_chosen_and_tried(visit: Visit, client: Client) -> None:
    """By the keyboard: the tenant, the people, a test alert that arrives. A wrong line is named."""
    visit.allow("status of 422")
    tenant = await client.operator.create_tenant(f"Operators {uuid.uuid4().hex[:8]}")
    page = visit.page
    await visit.open("/settings", "Settings")
    await page.get_by_role("link", name="Open alerts").press("Enter")
    await visit.settled("Alerts")
    await visit.assert_accessible()
    await page.get_by_label("Alert tenant").select_option(tenant.name)
    people = page.get_by_label("Recipients")
    await people.fill("ops@example.com\nnobody@@example.com")
    await page.get_by_role("button", name="Save", exact=True).press("Enter")
    await expect(people).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_text("Line 2 must be an e-mail address")).to_be_visible()
    await people.fill("ops@example.com")
    await page.get_by_role("checkbox", name="Quotas").press("Space")
    await page.get_by_role("button", name="Save", exact=True).press("Enter")
    await expect(page.get_by_text("Saved.").first).to_be_visible()
    saved = await client.operator.must("GET", "/alerts")
    assert saved == {
        "tenant_id": tenant.id,
        "recipients": ["ops@example.com"],
        "kinds": ["provider", "endpoint", "dead_letters"],
    }
    await page.get_by_role("button", name="Send a test alert").press("Enter")

    async def arrived() -> bool:
        mails = (await client.operator.must("GET", f"/tenants/{tenant.id}/outbox"))["data"]
        return any(mail["subject"] == "Test alert" for mail in mails)

    assert await eventually(arrived, 60, every=0.5)
    await client.operator.must("PUT", "/alerts", json={"tenant_id": None})
    await expect(page.get_by_role("region", name="Outages")).to_be_visible()
