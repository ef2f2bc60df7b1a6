"""People in the console: the first owner joins, invites others, and everybody signs in and out."""

import re
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, expect

from checks.client import Client
from stack.client import Running
from tests.e2e.console.conftest import OpenVisit
from tests.e2e.console.visit import Look, Visit
from tests.integration.gateway.console_visitor import OWNER, PASSWORD, owner_link, visitor
from tests.integration.gateway.console_visitor import owner as owner_by_api

_NARROW_DARK = Look(width=390, scheme="dark")


async def _fill_password(page: Page, label: str, password: str = PASSWORD) -> None:
    await page.get_by_label(label).fill(password)
    await page.keyboard.press("Enter")


async def _sign_in(visit: Visit, email: str, password: str = PASSWORD, path: str = "/sign-in") -> None:
    await visit.open(path, "Sign in")
    await visit.page.get_by_label("E-mail address").fill(email)
    await _fill_password(visit.page, "Password", password)


@pytest.fixture
def as_owner(running: Running, open_visit: OpenVisit) -> "AbstractAsyncContextManager[Visit]":
    """A visit of the owner, who has signed in. There is one from the first of these tests on."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[Visit]:
        async with owner_by_api(running):
            pass
        async with open_visit(token="") as visit:
            visit.allow("status of 401")  # nobody was signed in
            await _sign_in(visit, OWNER)
            await visit.settled("Messages")
            yield visit

    return opening()


async def _invite(visit: Visit, email: str, name: str, place: str, role: str) -> str:
    """Invite somebody; return the path of the link."""
    page = visit.page
    await visit.open("/settings/users", "Users")
    await page.get_by_role("button", name="Invite somebody").first.click()
    form = page.get_by_role("dialog", name="Invite somebody")
    await form.get_by_label("E-mail address").fill(email)
    await form.get_by_label("Name").fill(name)
    await form.get_by_role("button", name="Add a role").click()
    await form.get_by_label("Where").select_option(label=place)
    await form.get_by_label("Role", exact=True).select_option(role)
    await visit.assert_accessible()
    await form.get_by_role("button", name="Create the invitation").click()
    shown = page.get_by_role("dialog", name="New link")
    await expect(shown).to_be_visible()
    await visit.assert_accessible()
    link = await shown.locator("code").first.text_content() or ""
    await shown.get_by_role("button", name="I have copied it").click()
    await expect(page.get_by_role("link", name=name)).to_be_visible()
    parts = urlsplit(link)
    return f"{parts.path.removeprefix('/console')}#{parts.fragment}"


async def test_the_first_owner_joins_by_the_printed_link(running: Running, open_visit: OpenVisit) -> None:
    """With the keyboard alone; afterwards the link is spent, and a reload keeps the session."""
    link = await owner_link(running)
    if "has an owner" in link:
        pytest.skip("another test of this stack has made the owner")
    path = f"/join#{urlsplit(link).fragment}"
    async with open_visit(token="") as visit:
        page = visit.page
        await visit.open(path, "Become the owner")
        await visit.assert_accessible()
        await visit.assert_well_formed()
        await page.get_by_label("E-mail address").fill(OWNER)
        await page.keyboard.press("Tab")
        await page.keyboard.type("Olga Owner")
        await page.keyboard.press("Tab")
        visit.allow("status of 422")
        await page.keyboard.type("short")
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("New password")).to_have_attribute("aria-invalid", "true")
        await _fill_password(page, "New password")
        await visit.settled("Messages")
        await page.reload()
        await visit.settled("Messages")
        await expect(page.get_by_role("button", name="Olga Owner")).to_have_count(1)
    async with open_visit(token="") as visit:
        visit.allow("status of 404")
        await visit.open(path, "This link does not work")
        await visit.assert_accessible()


async def test_somebody_is_invited_and_sees_what_they_may(
    as_owner: "AbstractAsyncContextManager[Visit]", open_visit: OpenVisit, client: Client
) -> None:
    """A viewer of one tenant: that tenant, no users; until the owner takes the role away."""
    email, name = f"{uuid.uuid4().hex}@example.com", '<b>"Ada" & co</b>'
    tenant = (await client.operator.must("GET", f"/tenants/{client.tenant.id}"))["name"]
    async with as_owner as boss:
        path = await _invite(boss, email, name, f"Tenant {tenant}", "viewer")
        async with open_visit(_NARROW_DARK, token="") as visit:
            page = visit.page
            await visit.open(path, "Join the console")
            await visit.assert_accessible()
            await visit.assert_well_formed()
            await expect(page.get_by_label("E-mail address")).to_have_value(email)
            await expect(page.get_by_label("Your name")).to_have_value(name)
            await _fill_password(page, "New password")
            await visit.settled("Messages")
            await visit.open("/tenants", "Tenants")
            await expect(page.get_by_role("link", name=tenant).first).to_be_visible()
            await visit.open("/settings/users", "Users")
            await expect(
                page.get_by_text("Only owners of the installation or of an account manage users")
            ).to_be_visible()
            visit.allow("status of 403")
            await visit.open("/settings/audit", "Audit log")
            await expect(page.get_by_role("alert")).to_contain_text("This needs the role owner")

            page_of_boss = boss.page
            await page_of_boss.get_by_role("link", name=name).click()
            await boss.settled(name)
            await boss.assert_accessible()
            await boss.assert_well_formed()
            await page_of_boss.get_by_role("button", name="Forbid to sign in").click()
            await expect(page_of_boss.get_by_role("button", name="Allow to sign in again")).to_be_visible()
            visit.allow("status of 401")
            await visit.open("/messages", "Sign in")
            await _sign_in(visit, email)
            await expect(page.get_by_role("alert")).to_contain_text("The e-mail address or the password is wrong.")
            await visit.assert_accessible()
        await page_of_boss.get_by_role("button", name="Delete account").click()
        asking = page_of_boss.get_by_role("dialog")
        await asking.get_by_label(re.compile("^Type ")).fill(email)
        await asking.get_by_role("button", name="Delete account").click()
        await boss.settled("Users")
        await expect(page_of_boss.get_by_role("link", name=name)).to_have_count(0)


async def test_the_only_owner_stays(as_owner: "AbstractAsyncContextManager[Visit]") -> None:
    """The screen says why."""
    async with as_owner as visit:
        page = visit.page
        visit.allow("status of 409")
        await visit.open("/settings/users", "Users")
        await page.get_by_label("Name or e-mail address").fill("OWNER@")
        await page.get_by_role("link", name="Olga Owner").click()
        await page.get_by_role("button", name="Remove the role 1").click()
        await page.get_by_role("button", name="Save the roles").click()
        await expect(page.get_by_role("alert")).to_contain_text("Make somebody else an owner first")


async def test_a_session_elsewhere_is_ended(
    as_owner: "AbstractAsyncContextManager[Visit]", open_visit: OpenVisit
) -> None:
    """And that page asks to sign in as soon as it calls again, then shows what it showed before."""
    async with as_owner as visit, open_visit(token="") as other:
        other.allow("status of 401")
        await _sign_in(other, OWNER, path="/settings/sessions?tenant=")
        await other.settled("Your sessions")
        await visit.open("/settings/sessions", "Your sessions")
        await visit.assert_accessible()
        table = visit.page.get_by_role("table", name="Your sessions")
        ends = table.get_by_role("button", name="Sign this session out")
        for left in range(await ends.count() - 1, -1, -1):
            await ends.first.click()
            await expect(ends).to_have_count(left)
        await expect(visit.page.get_by_text("The session is signed out.").first).to_be_visible()
        await other.page.get_by_role("link", name="Settings").click()
        await other.page.get_by_role("link", name="Open the audit log").click()
        await other.settled("Sign in")


async def test_signing_out_and_in(as_owner: "AbstractAsyncContextManager[Visit]") -> None:
    """The menu of the person has it. What was open before is shown again."""
    async with as_owner as visit:
        page = visit.page
        await page.get_by_role("button", name="Olga Owner").click()
        await page.get_by_role("menuitem", name="Sign out").click()
        await visit.settled("Sign in")
        await page.go_back()
        await visit.settled("Sign in")
        await visit.open("/settings/audit?kind=session", "Sign in")
        await page.get_by_label("E-mail address").fill(OWNER)
        await _fill_password(page, "Password")
        await visit.settled("Audit log")
        assert "kind=session" in page.url
        await expect(page.get_by_role("row").filter(has_text="Olga Owner signed in").first).to_be_visible()
        await visit.assert_accessible()


async def test_the_audit_log_says_in_words_who_did_what(
    as_owner: "AbstractAsyncContextManager[Visit]", client: Client
) -> None:
    """People and programs by name, objects by links; what was called stands in a fold; the URL has the filters."""
    tenant = await client.operator.create_tenant(f"Lamps {uuid.uuid4().hex[:8]}")
    await client.operator.create_template(tenant, "order.shipped", "EMAIL", "<p>Hello</p>", subject="Hello")
    async with as_owner as visit:
        page = visit.page
        visit.allow("status of 422")
        await visit.open(f"/tenants/{tenant.id}/security?tenant={tenant.id}", tenant.name)
        await page.get_by_role("button", name="Set a secret").click()
        await page.get_by_role("dialog").get_by_role("button", name="Set the secret").click()
        await page.get_by_role("dialog", name="New webhook secret").get_by_role("button", name="I have").click()
        await visit.open(f"/tenants/{tenant.id}/settings?tenant={tenant.id}", tenant.name)
        await page.get_by_label("Sender address").fill("a..b@example.com")
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(page.get_by_role("alert")).to_be_visible()
        await visit.open(f"/settings/audit?tenant={tenant.id}", "Audit log")
        rows = page.get_by_role("table", name="Changes, newest first").get_by_role("row")
        for text in (
            f"Olga Owner rotated the webhook secret of {tenant.name}",
            f"Olga Owner tried to change the settings of {tenant.name}, which was refused (422)",
            f"A program with the admin token “admin” created the template order.shipped (EMAIL) in {tenant.name}",
        ):
            await expect(rows.filter(has_text=text)).to_have_count(1)
        await page.get_by_label("About").select_option("Templates")
        await expect(page).to_have_url(re.compile("kind=template"))
        await expect(rows.filter(has_text="Olga Owner")).to_have_count(0)
        await page.reload()
        created = rows.filter(has_text="created the template")
        await created.get_by_text("Details").click()
        await expect(created).to_contain_text("POST /api/v1/admin/templates")
        await visit.assert_accessible()
        await created.get_by_role("link", name="order.shipped (EMAIL)").click()
        await expect(page).to_have_url(re.compile("/templates/"))
        await visit.open(f"/settings/audit?tenant={tenant.id}&actor={OWNER}", "Audit log")
        await expect(rows.filter(has_text="admin token")).to_have_count(0)
        await rows.get_by_role("link", name="Olga Owner").first.click()
        await visit.settled("Olga Owner")


async def test_an_owner_of_an_account_manages_its_people(
    running: Running, open_visit: OpenVisit, client: Client
) -> None:
    """They invite somebody to a tenant of theirs, change the role and delete the person; others they only see."""
    tenant = await client.operator.must("POST", "/tenants", json={"name": f"Walnut {uuid.uuid4().hex[:8]}"})
    place = {"tenant_id": None, "account_id": tenant["account_id"], "role": "owner"}
    names = {"Olive Owner": place, "Installed <b>Ida</b>": {"tenant_id": tenant["id"], "role": "viewer"}}
    invited = {}
    for name, membership in names.items():
        body = {"email": f"{uuid.uuid4().hex}@example.com", "name": name, "memberships": [membership]}
        invited[name] = await client.operator.must("POST", "/users", json=body)
    async with visitor(running) as browser:
        await browser.accept(invited["Olive Owner"]["invitation"]["url"].rpartition("#")[2])
    async with open_visit(token="") as visit:
        page = visit.page
        visit.allow("status of 401")  # nobody was signed in
        await _sign_in(visit, invited["Olive Owner"]["email"])
        await visit.settled("Messages")
        email = f"{uuid.uuid4().hex}@example.com"
        await _invite(visit, email, "Bob", f"Tenant {tenant['name']}", "developer")
        rows = page.get_by_role("row")
        await expect(rows).to_have_count(4)  # with the head
        await page.get_by_role("link", name="Bob").click()
        await visit.settled("Bob")
        await visit.assert_accessible()
        await visit.assert_well_formed()
        where = page.get_by_label("Where").locator("option")
        await expect(where).to_have_text(
            [f"Tenant {tenant['name']}", f"All tenants of the account of {tenant['name']}"]
        )
        await page.get_by_label("Role", exact=True).select_option("operator")
        await page.get_by_role("button", name="Save the roles").click()
        await expect(page.get_by_text("The roles of Bob are saved.").first).to_be_visible()
        await page.get_by_role("button", name="Delete").click()
        asking = page.get_by_role("dialog")
        await asking.get_by_label(re.compile("^Type ")).fill(email)
        await asking.get_by_role("button", name="Delete").click()
        await visit.settled("Users")
        await page.get_by_role("link", name="Installed <b>Ida</b>").click()
        await visit.settled("Installed <b>Ida</b>")
        await expect(page.get_by_text("An owner of the installation invited")).to_be_visible()
        for name in ("Delete", "Disable", "New invitation"):
            await expect(page.get_by_role("button", name=name)).to_have_count(0)
        await visit.assert_accessible()
        await page.get_by_role("button", name="Remove the role 1").click()
        await page.get_by_role("button", name="Save the roles").click()
        await expect(page.get_by_text("The roles of Installed <b>Ida</b> are saved.").first).to_be_visible()
        await visit.open("/settings/users", "Users")
        await expect(rows).to_have_count(2)
