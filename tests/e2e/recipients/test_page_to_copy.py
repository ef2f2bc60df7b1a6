"""docs/realtime.md's pages and server, taken from the page as they stand, in a real browser on a running stack."""

import asyncio
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from checks.client import Client, Tenant
from stack.client import Running
from stack.launch import command_for
from tests import documentation, packages
from tests.e2e.browser import page_of
from tests.e2e.recipients.conftest import PAGE_PORT, TOKEN_LIFETIME_S, Cable
from tests.e2e.recipients.test_official_client import push
from tests.waiting import eventually, listens

ROOT = Path(__file__).parents[3]
BACK_MS = 60_000
# The official client, and a WebSocket for Node.js.
_PACKAGES = ROOT / "tests" / "contract" / "hub" / "js"
_BLOCK = re.compile(r"^`(?P<name>[\w.]+)`:\n\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> dict[str, str]:
    """Return the files that the page shows, by name."""
    return {found["name"]: found["text"] for found in _BLOCK.finditer(documentation.page("docs/realtime.md"))}


@pytest_asyncio.fixture(loop_scope="session")
async def page(running: Running, tenant: Tenant, cable: Cable, tmp_path: Path, browser: Browser) -> AsyncIterator[Page]:
    """A page; what its browser asks of the gateway goes through the cable."""
    node = shutil.which("node")
    if node is None:
        reason = "node is not on PATH: the page of docs/realtime.md is not tried"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    for name, text in blocks().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    # What `npm install centrifuge` makes.
    packages.installed(_PACKAGES)
    (tmp_path / "node_modules").symlink_to(_PACKAGES / "node_modules")
    variables = {
        "CLARION_URL": running.url,
        "CLARION_TENANT_ID": tenant.id,
        "CLARION_API_KEY": tenant.api_key,
        "CLARION_PUBLIC_URL": f"http://127.0.0.1:{cable.port}",
        "PORT": str(PAGE_PORT),
    }
    command = command_for([node, "server.mjs"], death_signal=signal.SIGKILL)
    server = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, env={**os.environ, **variables})
    try:
        # Before the browser asks: its error page may come late, and interrupt what is opened then.
        await eventually(lambda: listens(PAGE_PORT))
        async with page_of(browser) as opened:
            yield opened
    finally:
        server.kill()
        await server.wait()


async def _open(page: Page, path: str = "/bare") -> None:
    """Open the page without the component, or another one."""
    await page.goto(f"http://127.0.0.1:{PAGE_PORT}{path}")
    if path == "/bare":
        await _is(page, "connected")


async def _is(page: Page, state: str) -> None:
    await expect(page.locator("#state")).to_have_text(state, timeout=BACK_MS)


async def _has(page: Page, text: str) -> None:
    await expect(page.get_by_text(f"Note: {text}", exact=True)).to_have_count(1, timeout=BACK_MS)


async def test_the_component_needs_three_lines(page: Page, tenant: Tenant, cable: Cable) -> None:
    """What was there before, what comes, and what comes while the cable is cut; the token is replaced, too."""
    await push(tenant, "u1", "before")
    await _open(page, "/")
    inbox = page.locator("clarion-inbox")
    await expect(inbox).to_have_attribute("data-state", "connected", timeout=BACK_MS)
    await page.get_by_role("button", name="Notifications, 1 unread").click()
    async with page.expect_request("**/session", timeout=10_000 * TOKEN_LIFETIME_S):
        await push(tenant, "u1", "live")
        await expect(inbox.locator("li")).to_have_count(2)
    cable.cut()
    await expect(inbox).to_have_attribute("data-state", "connecting", timeout=BACK_MS)
    await push(tenant, "u1", "missed")
    cable.mend()
    await expect(inbox.locator("li")).to_have_count(3, timeout=BACK_MS)
    assert await inbox.locator(".body").all_text_contents() == ["missed", "live", "before"]


async def test_live_and_over_the_end_of_a_token(page: Page, tenant: Tenant) -> None:
    """What was there before, what comes; a token is replaced without a break; markup is text."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    await push(tenant, "u1", "before")
    await _open(page)
    await _has(page, "before")
    await page.evaluate("""() => {
        window.states = [];
        new MutationObserver(() => window.states.push(document.getElementById("state").textContent))
            .observe(document.getElementById("state"), { childList: true });
    }""")
    first = asked.count("session")
    async with page.expect_request("**/session", timeout=10_000 * TOKEN_LIFETIME_S):
        await push(tenant, "u1", "<img src=x onerror=alert(1)>")
        await _has(page, "<img src=x onerror=alert(1)>")
    await push(tenant, "u1", "after")
    await _has(page, "after")
    assert asked.count("session") > first
    assert await page.evaluate("window.states") == []
    assert await page.locator("#list img").count() == 0


async def test_nothing_is_missed_when_the_cable_is_cut(page: Page, tenant: Tenant, cable: Cable) -> None:
    """What came meanwhile is there, once."""
    await _open(page)
    await push(tenant, "u1", "one")
    await _has(page, "one")
    cable.cut()
    await _is(page, "connecting")
    await push(tenant, "u1", "two", "three")
    cable.mend()
    await _is(page, "connected")
    for text in ("one", "two", "three"):
        await _has(page, text)


async def test_a_revoked_page_starts_anew_with_what_its_server_gives_it(
    page: Page, tenant: Tenant, client: Client
) -> None:
    """Cut off, then back on new channels."""
    await _open(page)
    await client.operator.must("POST", f"/tenants/{tenant.id}/revoke-tokens", json={"user_id": "u1"})
    await _is(page, "disconnected")
    await _is(page, "connected")
    await push(tenant, "u1", "again")
    await _has(page, "again")


async def test_the_subscriber_prints_what_the_curl_triggers(running: Running, tenant: Tenant, tmp_path: Path) -> None:
    """The page's Node.js program, and the page's line for the shell, which needs no template of the tenant's own."""
    node = packages.installed(_PACKAGES)
    (tmp_path / "subscriber.mjs").write_text(blocks()["subscriber.mjs"], encoding="utf-8")
    # What `npm install centrifuge ws` makes.
    (tmp_path / "node_modules").symlink_to(_PACKAGES / "node_modules")
    variables = {"CLARION_URL": running.url, "CLARION_API_KEY": tenant.api_key}
    subscriber = await asyncio.create_subprocess_exec(
        *command_for([node, "subscriber.mjs"], death_signal=signal.SIGKILL),
        cwd=tmp_path,
        env={**os.environ, **variables},
        stdout=asyncio.subprocess.PIPE,
    )
    assert subscriber.stdout is not None
    try:
        async with asyncio.timeout(BACK_MS / 1000):
            channels = (await tenant.token("u1"))["channels"]
            listening = {(await subscriber.stdout.readline()).decode() for _ in channels}
            assert listening == {f"listening on {channel}\n" for channel in channels}
            line = documentation.block(documentation.page("docs/realtime.md"), "sh", "curl")
            done = await asyncio.to_thread(documentation.shell, line, running, folder=tmp_path, **variables)
            assert done.returncode == 0, done.stderr
            assert await subscriber.stdout.readline() == b"Hello: It works.\n"
    finally:
        subscriber.kill()
        await subscriber.wait()


def test_the_page_shows_its_files() -> None:
    """And names no other host than the example's."""
    assert set(blocks()) == {"page.html", "server.mjs", "bare.html", "subscriber.mjs"}
    assert "innerHTML" not in blocks()["bare.html"]
    assert not re.search(r"https?://(?!notify\.example\.com|localhost)", "".join(blocks().values()))
