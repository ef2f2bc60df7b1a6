"""GET /api/v1/admin/live: events as they change, to those who may see them, until their session ends."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import asyncpg
import pytest

from stack.client import Running
from tests.integration.gateway.conftest import CreateTenant, Tenant
from tests.integration.gateway.console_people import join
from tests.integration.gateway.console_visitor import owner_link

PATH = "/api/v1/admin/live"
Message = dict[str, Any]


class Page:
    """An open page."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def next(self) -> Message | int:
        """Return the next message, or the code of the close."""
        message = await self.socket.receive(30)
        if message.type is aiohttp.WSMsgType.TEXT:
            found: Message = json.loads(message.data)
            return found
        return int(message.data or 0)

    async def watch(self, name: str = "w", **filters: str) -> None:
        """Watch, and wait until it is watched."""
        await self.socket.send_json({"type": "watch", "id": name, **filters})
        assert await self.next() == {"type": "watching", "watch": name}

    async def until(self, event_id: str, name: str = "w") -> Message:
        """Return the first event with this id; fail if it is told of as one of the others."""
        while True:
            message = await self.next()
            assert isinstance(message, dict), message
            for event in message.get("events", ()):
                if event["id"] == event_id and message["watch"] == name:
                    found: Message = event
                    return found


@asynccontextmanager
async def opened(http: aiohttp.ClientSession, headers: dict[str, str]) -> AsyncIterator[Page]:
    """Open a page."""
    async with http.ws_connect(PATH, headers=headers) as socket:
        yield Page(socket)


async def send(
    http: aiohttp.ClientSession, tenant: Tenant, admin: dict[str, str], event_type: str = "order.live"
) -> str:
    """Send an event, and return its id."""
    person = {"user_id": "ada", "email": "ada@example.org", "phone": "+254712345678"}
    body = {"event_type": event_type, "audience": [{"recipient": person}]}
    async with http.post(f"/api/v1/admin/tenants/{tenant.id}/events", json=body, headers=admin) as answer:
        assert answer.status == 202, await answer.text()
        return str((await answer.json())["event_id"])


async def test_an_event_comes_as_soon_as_the_ledger_has_it(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """As the list shows it, and again when it changes; those of another tenant, and of another filter, do not."""
    mine, other = await create_tenant(), await create_tenant()
    async with opened(http, admin) as page:
        await page.watch(tenant_id=mine.id)
        await page.watch("filtered", tenant_id=mine.id, event_type="order.rare")
        foreign = await send(http, other, admin)
        first = await send(http, mine, admin)
        event = await page.until(first)
        assert event["tenant_id"] == mine.id
        while not event["finished_at"]:
            event = await page.until(first)
        async with http.get(f"/api/v1/admin/events?tenant_id={mine.id}", headers=admin) as answer:
            assert (await answer.json())["data"] == [event]
        rare = await send(http, mine, admin, "order.rare")
        seen: list[Message] = []
        while not any(event["id"] == rare for one in seen if one["watch"] == "filtered" for event in one["events"]):
            message = await page.next()
            assert isinstance(message, dict)
            seen.append(message)
        assert foreign not in json.dumps(seen)


async def test_a_person_sees_their_tenants_only(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """Also if they ask for all; of another one there is nothing, and a foreign page does not get in by their cookie."""
    mine, other = await create_tenant(), await create_tenant()
    person = await join(http, admin, {"role": "viewer", "tenant_id": mine.id})
    async with opened(http, person.headers) as page:
        await page.socket.send_json({"type": "watch", "id": "w", "tenant_id": other.id})
        refused = await page.next()
        assert isinstance(refused, dict)
        assert refused["type"] == "refused"
        await page.watch()
        async with opened(http, admin) as everybody:
            await everybody.watch()
            foreign = await send(http, other, admin)
            await everybody.until(foreign)
            own = await send(http, mine, admin)
            message = await page.next()
            assert isinstance(message, dict)
            assert {event["id"] for event in message["events"]} == {own}
            assert foreign not in json.dumps(message)
    headers = {**person.headers, "Origin": "https://evil.example"}
    async with http.get(PATH, headers={**headers, "Upgrade": "websocket", "Connection": "Upgrade"}) as answer:
        assert answer.status == 403
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        await http.ws_connect(PATH)
    assert refusal.value.status == 401


async def test_it_ends_with_the_session(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """A role that was taken away, or a session that was revoked, ends it within seconds."""
    mine = await create_tenant()
    person = await join(http, admin, {"role": "viewer", "tenant_id": mine.id})
    async with opened(http, person.headers) as page:
        await page.watch()
        async with http.delete(f"/api/v1/admin/users/{person.id}/sessions", headers=admin) as answer:
            assert answer.status in (200, 204)
        assert await page.next() == 4002


async def test_it_ends_with_a_new_password(
    http: aiohttp.ClientSession, admin: dict[str, str], local_stack: Running
) -> None:
    """Somebody else may have had the old one: the page and its session end."""
    person = await join(http, admin, {"role": "viewer"})
    async with opened(http, person.headers) as page:
        await page.watch()
        reset = await owner_link(local_stack, "--reset", person.email)
        body = {"code": reset.rpartition("#")[2], "password": "another good password"}
        async with http.post("/api/v1/admin/invitations/accept", json=body) as answer:
            assert answer.status == 200, await answer.text()
        http.cookie_jar.clear()
        assert await page.next() == 4002
    async with http.get("/api/v1/admin/session", headers=person.headers) as answer:
        assert answer.status == 401


async def test_it_does_not_keep_a_session(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant, local_stack: Running
) -> None:
    """An open page, and what it asks by itself, is no use of the session; what the person does is."""
    tenant, person = await create_tenant(), await join(http, admin, {"role": "viewer"})
    user, session = f"/api/v1/admin/users/{person.id}", "/api/v1/admin/session"
    unattended = {**person.headers, "X-Clarion-Unattended": "true"}
    database = await asyncpg.connect(local_stack.variables["CLARION_POSTGRES_URL"])
    seen = "SELECT now() - last_seen_at FROM ingest.console_sessions WHERE user_id = $1"
    try:
        await database.execute(
            "UPDATE ingest.console_sessions SET last_seen_at = now() - interval '1 hour' WHERE user_id = $1", person.id
        )
        async with opened(http, person.headers) as page:
            await page.watch()
            # It ends when the session is looked at again, which the gateway did not remember any more.
            less = {"memberships": [{"role": "viewer", "tenant_id": tenant.id}]}
            async with http.patch(user, json=less, headers=admin) as answer:
                assert answer.status == 200
            assert await page.next() == 4002
        async with opened(http, person.headers) as page:
            await page.watch()
        async with http.get(session, headers=unattended) as answer:
            assert answer.status == 200
        assert await database.fetchval(seen, person.id) > timedelta(minutes=59)
        async with http.get(session, headers=person.headers) as answer:
            assert answer.status == 200
        assert await database.fetchval(seen, person.id) < timedelta(minutes=1)
    finally:
        await database.close()


async def test_what_is_no_command_ends_it(http: aiohttp.ClientSession, admin: dict[str, str]) -> None:
    """A wrong filter is refused in words; what is no command at all ends the socket."""
    async with opened(http, admin) as page:
        await page.socket.send_json({"type": "watch", "id": "w", "status": "nice"})
        refused = await page.next()
        assert isinstance(refused, dict)
        assert (refused["type"], refused["watch"]) == ("refused", "w")
        assert "queued" in refused["detail"]
        for wrong in ("{}", "[", '{"type": "watch", "id": "w", "sql": "1"}'):
            async with opened(http, admin) as other:
                await other.socket.send_str(wrong)
                assert await other.next() == 4004
        for number in range(20):
            await page.watch(f"w{number}")
        await page.socket.send_json({"type": "watch", "id": "one more"})
        refused = await page.next()
        assert isinstance(refused, dict)
        assert refused["type"] == "refused"
        await page.socket.send_json({"type": "unwatch", "id": "w0"})
        await page.watch("one more")


async def test_a_restart_of_ingest_is_told(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant, local_stack: Running
) -> None:
    """The page learns that changes may have been missed, and gets those that follow."""
    tenant = await create_tenant()
    async with opened(http, admin) as page:
        await page.watch(tenant_id=tenant.id)
        await page.until(await send(http, tenant, admin))
        for name in local_stack.state.processes:
            if name.startswith("ingest"):
                local_stack.kill(name)
        kinds = []
        while "interrupted" not in kinds:
            message = await page.next()
            assert isinstance(message, dict)
            kinds.append(message["type"])
        assert "away" in kinds
        await page.until(await send(http, tenant, admin))
