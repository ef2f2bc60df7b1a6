"""PyPI `centrifuge-python` lives with the server as it would with Centrifugo."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import centrifuge  # type: ignore[import-untyped]
from cent import AsyncClient, Disconnect, DisconnectRequest, PublishRequest

from tests.python_client import leave
from tests.waiting import eventually

from .servers import API_KEY, Server
from .wire import token_for

PERMISSION_DENIED = 103


class Diary(centrifuge.SubscriptionEventHandler):  # type: ignore[misc]  # it has no types
    """What happened to one subscription."""

    def __init__(self) -> None:
        """Start empty."""
        self.subscribed: list[Any] = []
        self.left: list[int] = []
        self.data: list[Any] = []

    async def on_subscribed(self, ctx: Any) -> None:
        """Note what the server said."""
        self.subscribed.append(ctx)

    async def on_unsubscribed(self, ctx: Any) -> None:
        """Note the code."""
        self.left.append(ctx.code)

    async def on_publication(self, ctx: Any) -> None:
        """Note the data."""
        self.data.append(ctx.pub.data)


@asynccontextmanager
async def online(
    server: Server, user: str, get_token: Callable[[], Awaitable[str]] | None = None
) -> AsyncIterator[Any]:
    """Connect a client that comes back half a second after it was cut off."""

    async def default() -> str:
        return token_for(user)

    client = centrifuge.Client(server.ws_url, get_token=get_token or default, min_reconnect_delay=0.5, proxy=None)
    await client.connect()
    try:
        await client.ready(30)
        yield client
    finally:
        await leave(client)


@asynccontextmanager
async def commanding(server: Server) -> AsyncIterator[AsyncClient]:
    """Open the server API for a while."""
    client = AsyncClient(server.api_url, API_KEY)
    try:
        yield client
    finally:
        await client.close()


async def test_it_receives_what_is_published(server: Server) -> None:
    """A subscriber of its own channel gets every publication in order."""
    diary = Diary()
    async with online(server, "py1") as client, commanding(server) as cent:
        subscription = client.new_subscription("orders#py1", diary)
        await subscription.subscribe()
        await subscription.ready(30)
        for n in range(5):
            await cent.publish(PublishRequest(channel="orders#py1", data=n))
        await eventually(lambda: len(diary.data) == 5)
    assert diary.data == [0, 1, 2, 3, 4]


async def test_anothers_channel_is_refused(server: Server) -> None:
    """A subscription to another user's channel ends with 103, the connection stays."""
    diary, own = Diary(), Diary()
    async with online(server, "py2") as client, commanding(server) as cent:
        await client.new_subscription("orders#someone", diary).subscribe()
        await eventually(lambda: diary.left)
        await client.new_subscription("orders#py2", own).subscribe()
        await eventually(lambda: own.subscribed)
        await cent.publish(PublishRequest(channel="orders#someone", data="secret"))
        await cent.publish(PublishRequest(channel="orders#py2", data="mine"))
        await eventually(lambda: own.data)
    assert diary.left == [PERMISSION_DENIED]
    assert (diary.data, own.data) == ([], ["mine"])


async def test_it_refreshes_its_token(server: Server) -> None:
    """A short-lived token is replaced over the same connection."""
    handed_out = 0

    async def get_token() -> str:
        nonlocal handed_out
        handed_out += 1
        return token_for("py3", ttl=6 if handed_out == 1 else 7200)

    diary = Diary()
    async with online(server, "py3", get_token) as client, commanding(server) as cent:
        await client.new_subscription("orders#py3", diary).subscribe()
        await eventually(lambda: diary.subscribed)
        await eventually(lambda: handed_out == 2)
        await cent.publish(PublishRequest(channel="orders#py3", data="after"))
        await eventually(lambda: diary.data)
        assert client.state == centrifuge.ClientState.CONNECTED
    assert len(diary.subscribed) == 1


async def test_it_recovers_what_it_missed(server: Server) -> None:
    """What is published while a client is away arrives once, in order, on its return."""
    diary = Diary()
    async with online(server, "py4") as client, commanding(server) as cent:
        await client.new_subscription("orders#py4", diary).subscribe()
        await eventually(lambda: diary.subscribed)
        await cent.publish(PublishRequest(channel="orders#py4", data="before"))
        await eventually(lambda: diary.data)
        cut = Disconnect(code=4000, reason="come back")
        await cent.disconnect(DisconnectRequest(user="py4", disconnect=cut))
        await eventually(lambda: client.state == centrifuge.ClientState.CONNECTING)
        for data in ("one", "two"):
            await cent.publish(PublishRequest(channel="orders#py4", data=data))
        await eventually(lambda: len(diary.data) == 3)
    assert diary.data == ["before", "one", "two"]
    assert [(ctx.was_recovering, ctx.recovered) for ctx in diary.subscribed] == [
        (False, False),
        (True, True),
    ]


async def test_after_a_crash_it_knows_that_it_may_have_missed_something(
    start_server: Callable[..., Server],
) -> None:
    """A killed server forgets: the client is back, told so, and gets what is new."""
    server, diary = start_server(), Diary()
    async with online(server, "py5") as client, commanding(server) as cent:
        await client.new_subscription("orders#py5", diary).subscribe()
        await eventually(lambda: diary.subscribed)
        await cent.publish(PublishRequest(channel="orders#py5", data="before"))
        await eventually(lambda: diary.data)
        server.kill()
        await asyncio.to_thread(server.start)
        await eventually(lambda: len(diary.subscribed) == 2)
        await cent.publish(PublishRequest(channel="orders#py5", data="after"))
        await eventually(lambda: len(diary.data) == 2)
    assert (diary.subscribed[1].was_recovering, diary.subscribed[1].recovered) == (True, False)
    assert diary.data == ["before", "after"]
