"""Browsers as the official Python client plays them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import centrifuge  # type: ignore[import-untyped]

from tests.python_client import leave
from tests.waiting import eventually


class Diary(centrifuge.SubscriptionEventHandler):  # type: ignore[misc]  # it has no types
    """What happened to one subscription: whether it stood, the code it ended with, what was published."""

    def __init__(self) -> None:
        """Start empty."""
        self.subscribed = False
        self.refused = 0
        self.data: list[Any] = []

    async def on_subscribed(self, ctx: Any) -> None:
        """Note that it stands."""
        self.subscribed = True

    async def on_unsubscribed(self, ctx: Any) -> None:
        """Note the code."""
        self.refused = ctx.code

    async def on_publication(self, ctx: Any) -> None:
        """Note the data."""
        self.data.append(ctx.pub.data)


class _Door(centrifuge.ClientEventHandler):  # type: ignore[misc]
    def __init__(self) -> None:
        """Start empty."""
        self.disconnected = 0
        self.errors: list[int] = []

    async def on_disconnected(self, ctx: Any) -> None:
        """Note the final word."""
        self.disconnected = ctx.code

    async def on_error(self, ctx: Any) -> None:
        """Note a connection that was refused for now."""
        self.errors.append(ctx.code)


class Page:
    """A connected page."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.diaries: dict[str, Diary] = {}

    async def subscribe(self, channels: Sequence[str]) -> dict[str, Diary]:
        """Subscribe to each; return once the hub has decided about all of them."""
        for channel in channels:
            diary = self.diaries[channel] = Diary()
            await self.client.new_subscription(channel, diary).subscribe()
        await eventually(lambda: all(diary.subscribed or diary.refused for diary in self.diaries.values()))
        return self.diaries


@asynccontextmanager
async def online(url: str, token: str) -> AsyncIterator[Page]:
    """Connect through the gateway at url."""
    client = centrifuge.Client(_address(url), token=token, proxy=None)
    await client.connect()
    try:
        await client.ready(10)
        yield Page(client)
    finally:
        await leave(client)


async def refusal(url: str, token: str) -> int:
    """Return the code with which the hub sends a bearer away, or refuses to let them in."""

    async def no_other() -> str:
        return token

    door = _Door()
    client = centrifuge.Client(_address(url), token=token, get_token=no_other, events=door, proxy=None)
    await client.connect()
    try:
        return await eventually(lambda: door.disconnected or (door.errors[0] if door.errors else 0))
    finally:
        await leave(client)


def _address(url: str) -> str:
    return url.replace("http", "ws", 1) + "/connection/websocket"
