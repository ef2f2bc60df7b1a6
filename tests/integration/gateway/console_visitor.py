"""People who use the console of a stack: what their browsers send."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from stack import processes
from stack.client import Running
from tests.waiting import eventually

ADMIN = "/api/v1/admin"
PASSWORD = "correct horse battery"
OWNER = "owner@example.com"


class Visitor:
    """A browser with cookies. csrf: sent with what changes something, as the console does."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self.csrf = ""

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Return the status and the body of an answer; None: it has none, or one that is no JSON."""
        sent = {"X-CSRF-Token": self.csrf} if self.csrf and method != "GET" else {}
        options: dict[str, Any] = {"json": body} if body is not None else {}
        async with self._session.request(
            method, ADMIN + path, headers={**sent, **(headers or {})}, **options
        ) as answer:
            raw = await answer.read()
            is_json = bool(raw) and answer.content_type.endswith("json")
            return answer.status, (await answer.json(content_type=None)) if is_json else None

    async def sign_in(self, email: str, password: str = PASSWORD) -> dict[str, Any]:
        """Sign in, and return who that is."""
        return self._begun(*await self.call("POST", "/session", {"email": email, "password": password}))

    async def accept(self, code: str, **fields: Any) -> dict[str, Any]:
        """Accept a link, and return who that is."""
        body = {"code": code, "password": PASSWORD, **fields}
        return self._begun(*await self.call("POST", "/invitations/accept", body))

    @property
    def signed_in(self) -> tuple[str, str]:
        """What resume() takes."""
        return self.cookies["clarion_session"].value, self.csrf

    def resume(self, signed_in: tuple[str, str]) -> None:
        """Go on with the session of another visitor, without the work of a password."""
        token, self.csrf = signed_in
        self._session.cookie_jar.update_cookies({"clarion_session": token})

    @property
    def cookies(self) -> dict[str, Any]:
        """The cookies of the browser with their attributes."""
        return {cookie.key: cookie for cookie in self._session.cookie_jar}

    def _begun(self, status: int, session: Any) -> dict[str, Any]:
        assert status == 200, session
        self.csrf = session["csrf_token"]
        found: dict[str, Any] = session
        return found


@asynccontextmanager
async def visitor(stack: Running) -> AsyncIterator[Visitor]:
    """Open a browser."""
    jar = aiohttp.CookieJar(unsafe=True)  # for a host that is an address
    async with aiohttp.ClientSession(base_url=stack.url, cookie_jar=jar) as session:
        yield Visitor(session)


@asynccontextmanager
async def owner(stack: Running) -> AsyncIterator[Visitor]:
    """Open the browser of the stack's owner, who joins if there is none."""
    async with visitor(stack) as browser:
        status, body = await browser.call("POST", "/session", {"email": OWNER, "password": PASSWORD})
        if status == 200:
            browser.csrf = body["csrf_token"]
        else:
            await _become_owner(stack, browser)
        yield browser


async def _become_owner(stack: Running, browser: Visitor) -> None:
    async def joins() -> bool:
        link = await owner_link(stack)
        assert "#" in link, link
        await browser.accept(link.rpartition("#")[2], email=OWNER, name="Olga Owner")
        return True

    # A stack that has just started makes a link of its own to print, and a new link ends those before it.
    await eventually(joins, every=1)


async def owner_link(stack: Running, *arguments: str) -> str:
    """Return what `clarion owner-link` prints, as an operator runs it."""
    command = [sys.executable, "-m", "cli", "owner-link", *arguments]
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=processes.ROOT,
        env={**processes.inherited(), **stack.variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return (done.stdout if done.returncode == 0 else done.stderr).strip()


async def joined(stack: Running, boss: Visitor, browser: Visitor, email: str, *memberships: dict[str, Any]) -> str:
    """Let the owner invite somebody, who joins; return their id."""
    status, created = await boss.call("POST", "/users", {"email": email, "memberships": list(memberships)})
    assert status == 201, created
    await browser.accept(created["invitation"]["url"].rpartition("#")[2])
    user_id: str = created["id"]
    return user_id
