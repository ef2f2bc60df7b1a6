"""Signing in to the console over HTTP: cookies, forged requests, links, sessions, and names in the audit log."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from runtime.ids import new_id
from stack.client import Running
from tests.integration.gateway.console_visitor import (
    ADMIN,
    OWNER,
    PASSWORD,
    joined,
    owner,
    owner_link,
    visitor,
)

EVERYWHERE = {"account_id": None, "tenant_id": None}


def _email() -> str:
    return f"{new_id()}@example.com"


async def test_the_owner_joins_and_is_known(local_stack: Running, admin: dict[str, str]) -> None:
    """By the link that the command prints; then the command only resets passwords."""
    async with owner(local_stack) as boss, visitor(local_stack) as stranger:
        status, session = await boss.call("GET", "/session")
        assert (status, session["kind"], session["email"]) == (200, "user", OWNER)
        assert session["memberships"] == [{**EVERYWHERE, "role": "owner"}]
        cookie = boss.cookies["clarion_session"]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "Strict", "/", "")
        assert "has an owner" in await owner_link(local_stack)
        assert not await owner_link(local_stack, "--unless-owned")
        assert (await stranger.call("GET", "/session/options"))[1] == {"owner_exists": True, "oidc": None}
        assert (await stranger.call("GET", "/session"))[0] == 401
        as_token = await stranger.call("GET", "/session", headers=admin)
        assert as_token[1]["memberships"] == [{**EVERYWHERE, "role": "owner"}]
        reset = await owner_link(local_stack, "--reset", OWNER)
        assert urlsplit(reset).path == "/console/join"
        code = urlsplit(reset).fragment
        opened = await stranger.call("POST", "/invitations/open", {"code": code})
        assert (opened[1]["kind"], opened[1]["email"]) == ("password_reset", OWNER)
        await stranger.accept(code)
        assert (await boss.call("GET", "/session"))[0] == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"Sec-Fetch-Site": "same-origin"}, 201),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"X-CSRF-Token": "0" * 64}, 403),
        ({"X-CSRF-Token": ""}, 403),
    ],
)
async def test_a_change_must_come_from_the_console(local_stack: Running, headers: dict[str, str], status: int) -> None:
    """From its own origin, and with the session's token; reading needs neither."""
    async with owner(local_stack) as boss:
        answered, body = await boss.call("POST", "/users", {"email": _email()}, headers=headers)
        assert answered == status, body
        assert (await boss.call("GET", "/users", headers={**headers, "Origin": "https://evil.example"}))[0] == 200


async def test_no_other_site_signs_anybody_in(local_stack: Running) -> None:
    """Else its visitor would use the session of an attacker."""
    async with owner(local_stack), visitor(local_stack) as browser:
        body = {"email": OWNER, "password": PASSWORD}
        for path in ("/session", "/invitations/open", "/invitations/accept"):
            status, answer = await browser.call("POST", path, body, headers={"Sec-Fetch-Site": "cross-site"})
            assert (status, browser.cookies) == (403, {}), answer


async def test_a_token_needs_no_csrf_header(local_stack: Running, admin: dict[str, str]) -> None:
    """And wins over a cookie, whose session may do less."""
    async with owner(local_stack) as boss, visitor(local_stack) as browser:
        await joined(local_stack, boss, browser, _email())
        browser.csrf = ""
        assert (await browser.call("POST", "/users", {"email": _email()}, headers=admin))[0] == 201
        wrong = {"Authorization": "Bearer wrong"}
        assert (await browser.call("GET", "/session", headers=wrong))[0] == 401


async def test_a_link_is_used_once(local_stack: Running) -> None:
    """Opening it does not use it; afterwards it is as unknown as any other."""
    async with owner(local_stack) as boss, visitor(local_stack) as browser:
        _, created = await boss.call("POST", "/users", {"email": _email(), "name": "Bob"})
        code = {"code": created["invitation"]["url"].rpartition("#")[2]}
        for _ in range(2):
            status, opened = await browser.call("POST", "/invitations/open", code)
            assert (status, opened["kind"], opened["name"]) == (200, "invitation", "Bob")
        weak = await browser.call("POST", "/invitations/accept", {**code, "password": "short"})
        assert (weak[0], weak[1]["errors"][0]["field"]) == (422, "password")
        session = await browser.accept(code["code"])
        assert (session["name"], session["memberships"]) == ("Bob", [])
        spent = await browser.call("POST", "/invitations/open", code)
        unknown = await browser.call("POST", "/invitations/open", {"code": "unknown"})
        assert spent == unknown
        assert spent[0] == 404


async def test_sessions_are_shown_to_their_owner_and_end(local_stack: Running) -> None:
    """One by one, by signing out, and by the owner of the installation; all of it at once on this gateway."""
    email = _email()
    async with owner(local_stack) as boss, visitor(local_stack) as one, visitor(local_stack) as two:
        user_id = await joined(local_stack, boss, one, email)
        await two.sign_in(email)
        listed = (await one.call("GET", "/session/sessions"))[1]["data"]
        assert sorted(session["current"] for session in listed) == [False, True]
        assert listed[0]["user_agent"].startswith("Python/")
        assert listed[0]["address"] == "127.0.0.1"
        other = next(session["id"] for session in listed if not session["current"])
        assert (await one.call("DELETE", f"/session/sessions/{other}"))[0] == 204
        assert (await two.call("GET", "/session"))[0] == 401
        assert (await one.call("DELETE", f"/session/sessions/{other}"))[0] == 404
        await two.sign_in(email)
        assert (await two.call("DELETE", "/session"))[0] == 204
        assert two.cookies == {}
        assert len((await boss.call("GET", f"/users/{user_id}/sessions"))[1]["data"]) == 1
        assert (await boss.call("DELETE", f"/users/{user_id}/sessions"))[0] == 204
        assert (await one.call("GET", "/session"))[0] == 401


async def test_a_password_is_changed(local_stack: Running) -> None:
    """By who knows the old one; the other sessions end, this one goes on."""
    email = _email()
    async with owner(local_stack) as boss, visitor(local_stack) as one, visitor(local_stack) as two:
        await joined(local_stack, boss, one, email)
        await two.sign_in(email)
        wrong = await one.call("POST", "/session/password", {"current": "wrong", "password": "another good password"})
        assert (wrong[0], wrong[1]["errors"][0]["field"]) == (422, "current")
        change = {"current": PASSWORD, "password": "another good password"}
        assert (await one.call("POST", "/session/password", change))[0] == 204
        assert (await one.call("GET", "/session"))[0] == 200
        assert (await two.call("GET", "/session"))[0] == 401
        await two.sign_in(email, "another good password")


async def test_a_token_has_no_sessions(local_stack: Running, admin: dict[str, str]) -> None:
    """It is told so."""
    async with visitor(local_stack) as browser:
        for method, path in (
            ("GET", "/session/sessions"),
            ("DELETE", "/session"),
            ("DELETE", f"/session/sessions/{new_id()}"),
            ("POST", "/session/password"),
        ):
            status, body = await browser.call(method, path, {} if method == "POST" else None, headers=admin)
            assert status == 403
            assert "console users" in body["detail"]


async def test_the_audit_log_names_people(local_stack: Running, admin: dict[str, str]) -> None:
    """By id and by e-mail address, also after they were deleted; sign-ins are in it, and no passwords."""
    email = _email()
    async with owner(local_stack) as boss, visitor(local_stack) as browser, visitor(local_stack) as reader:
        user_id = await joined(local_stack, boss, browser, email, {**EVERYWHERE, "role": "owner"})
        await browser.sign_in(email)
        _, tenant = await browser.call("POST", "/tenants", {"name": "Acme"})
        await boss.call("DELETE", f"/users/{user_id}")
        for actor in (f"user:{user_id}", email, email.upper()):
            status, page = await reader.call("GET", f"/audit?actor={actor}", headers=admin)
            assert status == 200
            assert [(one["method"], one["route"].removeprefix(ADMIN), one["status"]) for one in page["data"]] == [
                ("POST", "/tenants", 201),
                ("POST", "/session", 200),
                ("POST", "/invitations/accept", 200),
            ]
            assert {(one["actor"], one["actor_email"]) for one in page["data"]} == {(f"user:{user_id}", email)}
            assert page["data"][0]["resource"] == tenant["id"]
            assert page["data"][1]["fields"] == ["email", "password"]
            assert PASSWORD not in str(page)


async def test_a_role_that_is_taken_away_is_gone(local_stack: Running) -> None:
    """At once on the gateway that took it, on others within two seconds."""
    email = _email()
    async with owner(local_stack) as boss, visitor(local_stack) as browser:
        user_id = await joined(local_stack, boss, browser, email, {**EVERYWHERE, "role": "viewer"})
        assert (await browser.call("GET", "/tenants"))[0] == 200
        assert (await boss.call("PATCH", f"/users/{user_id}", {"memberships": []}))[0] == 200
        assert (await browser.call("GET", "/tenants"))[0] == 403
        assert (await boss.call("PATCH", f"/users/{user_id}", {"disabled": True}))[0] == 200
        assert (await browser.call("GET", "/session"))[0] == 401


async def test_no_user_but_an_owner_manages_users(local_stack: Running) -> None:
    """Nobody makes themselves an owner."""
    async with owner(local_stack) as boss, visitor(local_stack) as browser:
        user_id = await joined(local_stack, boss, browser, _email(), {**EVERYWHERE, "role": "operator"})
        everything = {"memberships": [{**EVERYWHERE, "role": "owner"}]}
        for method, path, body in (
            ("PATCH", f"/users/{user_id}", everything),
            ("POST", "/users", {"email": _email(), **everything}),
            ("POST", f"/users/{user_id}/invitation", None),
            ("GET", "/users", None),
        ):
            status, answer = await browser.call(method, path, body)
            assert status == 403
            assert "owner" in answer["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {"email": "not an address"},
        {"email": "a@example.com", "memberships": [{"role": "king"}]},
        {"email": "a@example.com", "memberships": [{"role": "viewer", "tenant_id": "x"}]},
        {"email": "a@example.com", "memberships": [{"role": "viewer", "tenant_id": "0" * 36}]},
        {"email": "a@example.com", "name": "x" * 101},
    ],
)
async def test_faults_are_named(local_stack: Running, body: dict[str, Any]) -> None:
    """At their fields."""
    async with owner(local_stack) as boss:
        status, answer = await boss.call("POST", "/users", body)
        assert status == 422
        assert answer["errors"]
