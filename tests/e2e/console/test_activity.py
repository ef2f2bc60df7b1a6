"""Messages with filters and live updates, the overview, and the search over ids, in a real browser."""

import re
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Request, expect

from checks.client import Client, order
from runtime.ids import new_id
from stack.client import Running
from tests.e2e.console.conftest import OpenVisit
from tests.e2e.console.visit import LOOKS, Visit
from tests.waiting import eventually

_ADMIN = "/api/v1/admin"
_PASSWORD = "correct horse battery staple"


@pytest_asyncio.fixture(loop_scope="session")
async def cookie(running: Running) -> dict[str, str]:
    """The session's cookie of a console user who may see every tenant."""
    admin = {"Authorization": f"Bearer {running.state.admin_token}"}
    async with aiohttp.ClientSession(running.url) as http:
        body = {"email": f"{new_id()}@example.org", "memberships": [{"role": "operator"}]}
        async with http.post(f"{_ADMIN}/users", json=body, headers=admin) as answer:
            code = (await answer.json())["invitation"]["url"].partition("#")[2]
        accepting = {"code": code, "password": _PASSWORD}
        async with http.post(f"{_ADMIN}/invitations/accept", json=accepting) as answer:
            name, _, value = answer.headers["Set-Cookie"].partition(";")[0].partition("=")
    return {"name": name, "value": value, "url": running.url}


async def _finished(client: Client, event_id: str) -> None:
    async def is_finished() -> bool:
        return await client.operator.finished(event_id) is not None

    await eventually(is_finished)


@pytest.mark.parametrize("behind", [timedelta(minutes=20), -timedelta(minutes=20)], ids=["late", "early"])
async def test_times_follow_the_servers_clock(visit: Visit, client: Client, behind: timedelta) -> None:
    """What was just accepted is of now, whatever the clock of the page says; and the words change with the time."""
    event = await client.tenant.accept(order(new_id(), "clock", ("PUSH",)))
    await _finished(client, event)
    page = visit.page
    await page.clock.install(time=datetime.now(UTC) - behind)
    await visit.open(f"/messages/{event}")
    accepted = page.get_by_role("main").locator("dl time").first
    await expect(accepted).to_have_text(re.compile(r"^(now|\d+ sec\. ago|[1-5] min\. ago)$"))
    # From here on no answer arrives that says how late it is: the page would believe it, rightly.
    await page.route(f"**{_ADMIN}/**", lambda _: None)
    await page.clock.fast_forward("03:00:00")
    await expect(accepted).to_have_text("3 hr. ago")


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_messages_can_be_read_and_filtered(visit: Visit, client: Client) -> None:
    """Each row says what became of a message on each channel; the filters stand in the address and survive a reload."""
    event = await client.tenant.accept(order(new_id(), client.user_id, ("PUSH", "SMS")))
    other = await client.tenant.accept(order(new_id(), "somebody-else", ("PUSH",)))
    await _finished(client, event)
    await _finished(client, other)
    await visit.open("/messages", "Messages")
    await expect(visit.page.get_by_role("link", name="order").first).to_be_visible()
    row = visit.page.get_by_role("row").filter(has_text=other[-6:])
    await expect(row.get_by_role("listitem")).to_have_text(re.compile("^Push: sent$"))  # nobody asked for the others
    await visit.assert_accessible()
    await visit.assert_well_formed()
    await visit.show_filters()
    await visit.page.get_by_role("searchbox", name="Recipient").fill("somebody-else")
    await visit.page.get_by_role("searchbox", name="Recipient").press("Enter")
    await expect(visit.page).to_have_url(re.compile("recipient=somebody-else"))
    await expect(visit.page.get_by_text(other[-6:])).to_be_visible()
    await expect(visit.page.get_by_text(event[-6:])).to_have_count(0)
    await visit.page.reload()
    await visit.settled("Messages")
    await expect(visit.page.get_by_text(other[-6:])).to_be_visible()
    await visit.show_filters()
    await visit.page.get_by_label("Status").select_option("dead")
    if await visit.page.get_by_role("button", name=re.compile("^Filters")).count():
        await expect(visit.page.get_by_role("button", name="Filters (2)")).to_be_visible()
    await expect(visit.page.get_by_role("heading", name="No message matches")).to_be_visible()
    await visit.assert_accessible()
    await visit.page.get_by_role("link", name="Remove the filters").click()
    await expect(visit.page.get_by_text(event[-6:])).to_be_visible()


async def test_new_messages_appear_by_themselves(open_visit: OpenVisit, client: Client, cookie: dict[str, str]) -> None:
    """On top of the list within seconds, and counted while somebody reads further down; two tabs share a connection."""
    async with open_visit(token="") as visit:
        await visit.page.context.add_cookies([cookie])  # type: ignore[list-item]
        await visit.open("/messages", "Messages")
        live = visit.page.get_by_role("main").get_by_role("status").filter(has_text="live")
        await expect(live).to_be_visible()
        first = await client.tenant.accept(order(new_id(), "ada-live", ("PUSH",)))
        await expect(visit.page.get_by_text(first[-6:])).to_be_visible()
        await expect(visit.page.get_by_role("row").nth(1)).to_contain_text("sent")

        other = await visit.page.context.new_page()
        await other.goto(f"{visit.url}/console/messages?recipient=bob-live")
        await expect(other.get_by_role("main").get_by_role("status").filter(has_text="live")).to_be_visible()
        second = await client.tenant.accept(order(new_id(), "bob-live", ("PUSH",)))
        await expect(other.get_by_text(second[-6:])).to_be_visible()
        await expect(other.get_by_text(first[-6:])).to_have_count(0)
        await other.close()

        await visit.page.evaluate("document.body.style.minHeight = '4000px'; window.scrollTo(0, 1000)")
        third = await client.tenant.accept(order(new_id(), "ada-live", ("PUSH",)))
        show = visit.page.get_by_role("button", name=re.compile("Show 1 new message"))
        await expect(show).to_be_visible()
        await expect(visit.page.get_by_text(third[-6:])).to_have_count(0)
        await show.click()
        await expect(visit.page.get_by_text(third[-6:])).to_be_visible()
        await visit.page.get_by_role("button", name="Live updates").click()
        await expect(visit.page).to_have_url(re.compile("live=off"))
        await expect(live).to_have_count(0)


async def test_a_page_that_nobody_touches_says_so(visit: Visit) -> None:
    """What it reads by itself then does not keep the session; as soon as somebody touches it, it does."""

    def of_overview(request: Request) -> bool:
        return "/overview?" in request.url

    await visit.page.clock.install()
    await visit.open("/overview")
    for is_touched in (False, True):
        if is_touched:
            await visit.page.mouse.move(200, 200)
        async with visit.page.expect_request(of_overview) as asked:
            await visit.page.clock.fast_forward(20_000 if is_touched else 90_000)
        headers = (await asked.value).headers
        assert headers.get("x-clarion-unattended", "false") == ("false" if is_touched else "true")


@pytest.mark.parametrize("visit", LOOKS, indirect=True)
async def test_the_overview_leads_to_the_messages(visit: Visit, client: Client) -> None:
    """Charts with the numbers as tables, and reasons that lead to their messages."""
    without = order(new_id(), "without-address", ("EMAIL",))
    del without["payload"]["recipientEmail"]
    event = await client.tenant.accept(without)
    await _finished(client, event)
    await visit.open("/overview", "Overview")
    for name in ("Oldest waiting message", "In numbers", "Deliveries over time", "Time from accepted to sent"):
        await expect(visit.page.get_by_role("region", name=name)).to_be_visible()
    await visit.page.get_by_text("Show the numbers as a table").first.click()
    await expect(visit.page.get_by_role("table", name="Deliveries over time")).to_be_visible()
    await visit.assert_accessible()
    await visit.assert_well_formed()
    await visit.page.get_by_role("link", name="The request has no e-mail address of the recipient.").first.click()
    await visit.settled("Messages")
    await expect(visit.page.get_by_text(event[-6:])).to_be_visible()
    assert "reason=missing_email" in visit.page.url


async def test_a_pasted_id_leads_there(visit: Visit, client: Client) -> None:
    """By the keyboard alone: "/" leads to the search, a whole id to its page; parts and addresses offer a choice."""
    visit.allow(r"status of 404")  # the recipient is not stored
    event = await client.tenant.accept(order(new_id(), "grace-search", ("PUSH",)))
    await _finished(client, event)
    await visit.open("/overview", "Overview")
    await visit.page.keyboard.press("/")
    await visit.page.keyboard.type(event)
    await expect(visit.page).to_have_url(re.compile(f"/console/messages/{event}"))
    await visit.page.keyboard.press("/")
    box = visit.page.get_by_role("combobox", name="Search by id")
    await expect(box).to_be_focused()
    await visit.page.keyboard.type("grace-search")
    found = visit.page.get_by_role("listbox", name="What was found")
    await expect(found.get_by_role("option")).to_have_count(1)
    await visit.assert_accessible()
    await box.press("ArrowDown")
    await box.press("Enter")
    await expect(visit.page).to_have_url(re.compile("/console/recipients/grace-search"))
    await box.fill(client.tenant.id[:13])
    await expect(found.get_by_role("group", name="Tenants")).to_be_visible()
