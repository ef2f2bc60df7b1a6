"""Signing in by a real identity provider: the whole way of a browser, and what is refused on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from yarl import URL

from gateway.admin.oidc import CALLBACK
from runtime.ids import new_id
from stack.client import Running
from tests.integration.gateway.console_visitor import ADMIN, owner
from tests.integration.gateway.oidc.identity import provider, sign_in
from tests.integration.gateway.oidc.world import World, gateway
from tests.waiting import eventually

_CONSOLE = "/console"


@pytest.fixture
async def world(local_stack: Running) -> AsyncIterator[World]:
    """A gateway, and Bob, who is invited as a viewer."""
    async with gateway(local_stack) as made, owner(local_stack) as boss:
        status, _ = await boss.call("POST", "/users", {"email": made.email, "memberships": [{"role": "viewer"}]})
        assert status == 201
        yield made


@asynccontextmanager
async def _browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def _enter(browser: aiohttp.ClientSession, world: World, login: str, following: str = "/events") -> str:
    """Sign in; return the path and query to which the gateway sends the browser in the end."""
    begin = f"{world.url}{ADMIN}/session/oidc?next={following}"
    url = await sign_in(browser, begin, login, stop_at=world.url + _CONSOLE)
    return url.removeprefix(world.url + _CONSOLE)


async def _who(browser: aiohttp.ClientSession, world: World) -> Any:
    async with browser.get(f"{world.url}{ADMIN}/session") as answer:
        return await answer.json() if answer.status == 200 else None


async def test_an_invited_person_signs_in(world: World, local_stack: Running) -> None:
    """By their e-mail address; not any more when an owner has given the account another address."""
    async with provider(world.port, world.url + CALLBACK, world.accounts), _browser() as browser:
        async with browser.get(f"{world.url}{ADMIN}/session/options") as answer:
            assert (await answer.json())["oidc"] == {"name": "127.0.0.1"}
        assert await _enter(browser, world, "bob") == "/events"
        session = await _who(browser, world)
        assert (session["email"], session["name"]) == (world.email, "Bob")
        assert session["memberships"] == [{"account_id": None, "tenant_id": None, "role": "viewer"}]
        kept = {cookie.key: cookie for cookie in browser.cookie_jar}
        assert "clarion_oidc" not in kept
        assert (kept["clarion_session"]["httponly"], kept["clarion_session"]["samesite"]) == (True, "Strict")
        async with owner(local_stack) as boss:
            _, found = await boss.call("GET", f"/users?search={world.email}")
            assert found["data"][0]["has_oidc"]
            renamed = f"{new_id()}@example.com"
            await boss.call("PATCH", f"/users/{found['data'][0]['id']}", {"email": renamed})
        async with _browser() as other:
            # The account has another address now, which the provider does not confirm.
            assert await _enter(other, world, "bob", "//evil.example/") == "/sign-in?failure=not-invited"


@pytest.mark.parametrize(
    ("login", "failure"), [("unverified", "not-invited"), ("stranger", "not-invited"), ("outsider", "not-invited")]
)
async def test_who_is_not_let_in(world: World, login: str, failure: str) -> None:
    """An address that the provider has not verified, and people whom nobody has invited."""
    async with provider(world.port, world.url + CALLBACK, world.accounts), _browser() as browser:
        assert await _enter(browser, world, login) == f"/sign-in?failure={failure}"
        assert await _who(browser, world) is None


async def test_another_account_with_the_address_is_refused(world: World) -> None:
    """A person is bound to the first one."""
    async with provider(world.port, world.url + CALLBACK, world.accounts), _browser() as one, _browser() as other:
        assert await _enter(one, world, "bob") == "/events"
        assert await _enter(other, world, "again") == "/sign-in?failure=not-invited"


async def test_a_response_belongs_to_one_browser_and_one_attempt(world: World) -> None:
    """Stolen, forged and repeated ones are refused."""
    async with provider(world.port, world.url + CALLBACK, world.accounts), _browser() as one, _browser() as other:
        begin = f"{world.url}{ADMIN}/session/oidc"
        back = await sign_in(one, begin, "bob", stop_at=world.url + CALLBACK)
        asked = parse_qs(urlsplit(back).query)
        assert asked.keys() >= {"code", "state"}
        tries = (
            (other, back),  # an attacker's own response, in a victim's browser
            (one, back.replace(asked["state"][0], "another")),
            (one, back),  # the cookie of the attempt is gone by now
        )
        for browser, url in tries:
            async with browser.get(URL(url, encoded=True), allow_redirects=False) as answer:
                assert answer.headers["Location"] == "/console/sign-in?failure=failed"
                assert "clarion_session" not in answer.cookies
        async with other.get(f"{world.url}{CALLBACK}?error=access_denied", allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/console/sign-in?failure=failed"


async def test_a_code_of_another_attempt_is_refused(world: World) -> None:
    """The provider compares the PKCE verifier: a code that is put into another attempt opens nothing."""
    async with provider(world.port, world.url + CALLBACK, world.accounts), _browser() as one, _browser() as other:
        begin = f"{world.url}{ADMIN}/session/oidc"
        mine = await sign_in(one, begin, "bob", stop_at=world.url + CALLBACK)
        theirs = await sign_in(other, begin, "stranger", stop_at=world.url + CALLBACK)
        code = {name: parse_qs(urlsplit(url).query)["code"][0] for name, url in (("mine", mine), ("theirs", theirs))}
        mixed = theirs.replace(code["theirs"], code["mine"])
        async with other.get(URL(mixed, encoded=True), allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/console/sign-in?failure=failed"


async def test_the_provider_changes_its_key(world: World) -> None:
    """The new one is read when a token is signed by it."""
    async with _browser() as browser:
        async with provider(world.port, world.url + CALLBACK, world.accounts):
            assert await _enter(browser, world, "bob") == "/events"

        async def entered() -> bool:
            async with _browser() as another:
                return await _enter(another, world, "bob") == "/events"

        async with provider(world.port, world.url + CALLBACK, world.accounts, kid="second"):
            await eventually(entered, 60, every=0.5)


async def test_people_of_our_domains_may_join_by_themselves(local_stack: Running) -> None:
    """If the installation says so, with the role that it says; people of others may not."""
    settings = {"CLARION_OIDC_DOMAINS": "example.com", "CLARION_OIDC_DEFAULT_ROLE": "developer"}
    async with (
        gateway(local_stack, **settings) as world,
        provider(world.port, world.url + CALLBACK, world.accounts),
        _browser() as one,
        _browser() as other,
    ):
        assert await _enter(one, world, "stranger") == "/events"
        places = (await _who(one, world))["memberships"]
        assert places == [{"account_id": None, "tenant_id": None, "role": "developer"}]
        assert await _enter(other, world, "outsider") == "/sign-in?failure=not-invited"


async def test_a_provider_that_is_away(world: World) -> None:
    """The page says so; passwords work on."""
    async with _browser() as browser, browser.get(f"{world.url}{ADMIN}/session/oidc", allow_redirects=False) as answer:
        assert answer.status == 503


async def test_without_a_provider_there_is_no_such_way(http: aiohttp.ClientSession) -> None:
    """And the page to sign in is told so."""
    for path in ("/session/oidc", "/session/oidc/callback?code=x&state=y"):
        async with http.get(ADMIN + path, allow_redirects=False) as answer:
            assert answer.status == 404
