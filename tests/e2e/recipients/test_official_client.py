"""PyPI `centrifuge-python` on a running stack: expiry, revocation, a cut cable, and what lies beyond the history."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import centrifuge  # type: ignore[import-untyped]
import jwt

from checks.client import Client, Tenant
from stack.client import Running
from tests.e2e.recipients.conftest import TOKEN_LIFETIME_S, Cable
from tests.python_client import leave
from tests.waiting import eventually

FORCE_DISCONNECT = 3503
# As many as the hub remembers of a channel.
HISTORY = 50


class Diary(centrifuge.ClientEventHandler, centrifuge.SubscriptionEventHandler):  # type: ignore[misc]  # untyped
    """What a page would have seen."""

    def __init__(self) -> None:
        self.connecting = 0
        self.ended: list[int] = []
        self.subscribed: list[tuple[bool, bool]] = []
        self.bodies: list[str] = []

    async def on_connecting(self, ctx: Any) -> None:
        """Count the connections."""
        self.connecting += 1

    async def on_disconnected(self, ctx: Any) -> None:
        """Note the code."""
        self.ended.append(ctx.code)

    async def on_subscribed(self, ctx: Any) -> None:
        """Note (was recovering, recovered)."""
        self.subscribed.append((ctx.was_recovering, ctx.recovered))

    async def on_publication(self, ctx: Any) -> None:
        """Note the text."""
        self.bodies.append(ctx.pub.data["body"])


class Page:
    """A user's page."""

    def __init__(self, tenant: Tenant, user_id: str, url: str, session: dict[str, Any]) -> None:
        self.diary = Diary()
        self.asked = 0
        self.session = session
        self._tenant = tenant
        self._user_id = user_id
        self.client = centrifuge.Client(
            url,
            events=self.diary,
            token=session["token"],
            get_token=self._get_token,
            min_reconnect_delay=0.2,
            max_reconnect_delay=0.5,
            proxy=None,
        )

    async def open(self) -> None:
        """Connect and subscribe to all channels."""
        for channel in self.session["channels"]:
            await self.client.new_subscription(channel, self.diary).subscribe()
        await self.client.connect()
        await eventually(lambda: len(self.diary.subscribed) == len(self.session["channels"]))

    async def _get_token(self) -> str:
        self.asked += 1
        return str((await self._tenant.token(self._user_id))["token"])


@asynccontextmanager
async def opened(tenant: Tenant, user_id: str, port: int, session: dict[str, Any] | None = None) -> AsyncIterator[Page]:
    """Open a page; session: not a new one."""
    url = f"ws://127.0.0.1:{port}/connection/websocket"
    page = Page(tenant, user_id, url, session or await tenant.token(user_id))
    await page.open()
    try:
        yield page
    finally:
        await leave(page.client)


def longer(token: str, running: Running) -> str:
    """Return a token with the same claims that ends an hour later."""
    claims = jwt.decode(token, options={"verify_signature": False})
    secret = running.variables["CLARION_CENTRIFUGO_TOKEN_SECRET"]
    return jwt.encode({**claims, "exp": claims["exp"] + 3600}, secret, algorithm="HS256")


async def push(tenant: Tenant, user_id: str, *texts: str) -> None:
    """Send pushes, and wait until the inbox has them."""
    before = len(await tenant.whole_inbox(user_id))
    for text in texts:
        event = {
            "eventType": "note.info",
            "channels": ["PUSH"],
            "payload": {"userId": user_id},
            "variables": {"n": text},
        }
        await tenant.accept(event)

    async def arrived() -> bool:
        return len(await tenant.whole_inbox(user_id)) == before + len(texts)

    await eventually(arrived)


async def test_a_token_that_ends_is_replaced_and_nothing_else_happens(tenant: Tenant, cable: Cable) -> None:
    """Over two lifetimes of a token one connection stays, subscribed once, and receives."""
    async with opened(tenant, "u1", cable.port) as page:
        until = time.monotonic() + 2 * TOKEN_LIFETIME_S
        sent = 0
        while time.monotonic() < until:
            sent += 1
            await push(tenant, "u1", f"{sent}")
            await eventually(lambda: len(page.diary.bodies) == sent)  # noqa: B023 - awaited here
        assert page.asked >= 1
    assert page.diary.bodies == [f"{number + 1}" for number in range(sent)]
    assert (page.diary.connecting, len(page.diary.subscribed)) == (1, 1)


async def test_a_token_that_has_ended_is_replaced_at_the_door(tenant: Tenant, cable: Cable) -> None:
    """Kept for too long, it is refused as expired; the client asks for another one and is let in."""
    session = await tenant.token("u1")
    ends = jwt.decode(session["token"], options={"verify_signature": False})["exp"]
    await eventually(lambda: time.time() > ends + 0.1)
    async with opened(tenant, "u1", cable.port, session=session) as page:
        assert page.asked >= 1  # more than once where that one ended as well
        await push(tenant, "u1", "hello")
        await eventually(lambda: page.diary.bodies == ["hello"])
        assert page.diary.ended == []


async def test_nothing_is_missed_when_the_cable_is_cut(tenant: Tenant, cable: Cable) -> None:
    """Published meanwhile: there on return, once, and told as recovered."""
    async with opened(tenant, "u1", cable.port) as page:
        await push(tenant, "u1", "before")
        await eventually(lambda: page.diary.bodies == ["before"])
        cable.cut()
        await eventually(lambda: page.client.state == centrifuge.ClientState.CONNECTING)
        await push(tenant, "u1", "one", "two", "three")
        assert page.diary.bodies == ["before"]
        cable.mend()
        await eventually(lambda: len(page.diary.bodies) == 4)
    assert sorted(page.diary.bodies[1:]) == ["one", "three", "two"]
    assert page.diary.subscribed == [(False, False), (True, True)]


async def test_beyond_the_history_the_inbox_is_asked(tenant: Tenant, cable: Cable) -> None:
    """More than the hub remembers: the client says so, and the inbox has every one."""
    texts = [f"n{number}" for number in range(HISTORY + 5)]
    async with opened(tenant, "u1", cable.port) as page:
        await push(tenant, "u1", "before")
        await eventually(lambda: page.diary.bodies == ["before"])
        cable.cut()
        await eventually(lambda: page.client.state == centrifuge.ClientState.CONNECTING)
        await push(tenant, "u1", *texts)
        cable.mend()
        await eventually(lambda: len(page.diary.subscribed) == 2)
    assert page.diary.subscribed[1] == (True, False)
    assert {item["body"] for item in await tenant.whole_inbox("u1")} == {"before", *texts}


async def test_a_revoked_user_hears_nothing_again_and_a_new_token_works(
    tenant: Tenant, client: Client, cable: Cable, running: Running
) -> None:
    """Cut off at once; the old token may connect, and hears nothing; a neighbour's page goes on."""
    async with opened(tenant, "u1", cable.port) as old, opened(tenant, "u2", cable.port) as neighbour:
        await client.operator.must("POST", f"/tenants/{tenant.id}/revoke-tokens", json={"user_id": "u1"})
        await eventually(lambda: old.diary.ended == [FORCE_DISCONNECT])
        # It would end by itself within seconds, and then be replaced by a token that may.
        lasting = {**old.session, "token": longer(old.session["token"], running)}
        async with (
            opened(tenant, "u1", cable.port, session=lasting) as stolen,
            opened(tenant, "u1", cable.port) as new,
        ):
            await push(tenant, "u1", "secret")
            await push(tenant, "u2", "hello")
            await eventually(lambda: (new.diary.bodies, neighbour.diary.bodies) == (["secret"], ["hello"]))
            assert stolen.diary.bodies == []
        assert neighbour.diary.connecting == 1


async def test_a_revoked_tenants_pages_are_all_closed(tenant: Tenant, client: Client, cable: Cable) -> None:
    """And no other tenant's; deactivated, its pages end as well and there are no new tokens."""
    other = client.tenant
    async with (
        opened(tenant, "u1", cable.port) as one,
        opened(tenant, "u2", cable.port) as two,
        opened(other, "someone", cable.port) as stranger,
    ):
        await client.operator.must("POST", f"/tenants/{tenant.id}/revoke-tokens", json={})
        await eventually(lambda: one.diary.ended == two.diary.ended == [FORCE_DISCONNECT])
        async with opened(tenant, "u1", cable.port) as new:
            await push(tenant, "u1", "again")
            await eventually(lambda: new.diary.bodies == ["again"])
            await client.operator.must("DELETE", f"/tenants/{tenant.id}")
            await eventually(lambda: new.diary.ended == [FORCE_DISCONNECT])
        answer = await tenant.http.call(
            "POST", "/api/v1/auth/realtime-token", headers={"x-api-key": tenant.api_key}, json={"userId": "u1"}
        )
        assert answer.status == 401
        assert stranger.diary.ended == []
        assert stranger.client.state == centrifuge.ClientState.CONNECTED
