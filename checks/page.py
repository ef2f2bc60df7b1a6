"""An open page that follows the notifications of a user through outages, like the demo page."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import aiohttp

from checks import listener
from checks.client import Client
from checks.waiting import CheckError

_PAUSE_S = 0.1


class Page:
    """Collects titles that were pushed, or read from the inbox if the hub could not recover them."""

    def __init__(self, client: Client, user_id: str) -> None:
        self._client = client
        self._user_id = user_id
        self._queue: asyncio.Queue[listener.Publication] = asyncio.Queue()
        self._positions: dict[str, listener.Channel] = {}
        self._subscribed = asyncio.Event()
        # When each title was first seen (time.monotonic).
        self._titles: dict[str, float] = {}
        self.connections = 0
        self.inbox_reads = 0

    @property
    def titles(self) -> set[str]:
        """All titles so far."""
        return set(self.times)

    @property
    def times(self) -> dict[str, float]:
        """All titles so far with the time when each was first seen (time.monotonic)."""
        while not self._queue.empty():
            publication = self._queue.get_nowait()
            self._titles.setdefault(str(publication.data["title"]), publication.at)
        return self._titles

    @contextlib.asynccontextmanager
    async def open(self) -> "AsyncIterator[Page]":
        """Follow the notifications for the length of a block, which starts after all subscriptions."""
        granted = await self._client.tenant.token(self._user_id)
        following = asyncio.create_task(self._follow(granted["token"], granted["channels"]))
        try:
            async with asyncio.timeout(10):
                await self._subscribed.wait()
            yield self
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _follow(self, token: str, channels: list[str]) -> None:
        while True:
            with contextlib.suppress(aiohttp.ClientError, CheckError, TimeoutError, OSError):
                await self._connect(token, channels)
            await asyncio.sleep(_PAUSE_S)

    async def _connect(self, token: str, channels: list[str]) -> None:
        session, url = self._client.http.session, self._client.http.url
        async with listener.connected(session, url, token, queue=self._queue, positions=self._positions) as connection:
            missed = False
            for channel in channels:
                is_back = channel in self._positions
                reply = await connection.subscribe(channel)
                missed |= is_back and not reply["subscribe"].get("recovered", False)
            self.connections += 1
            self._subscribed.set()
            if missed:
                await self._read_inbox()
            await connection.ended.wait()

    async def _read_inbox(self) -> None:
        """Read what was missed from the inbox. Its service may still be starting."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                kept = await self._client.tenant.whole_inbox(self._user_id)
            except (CheckError, aiohttp.ClientError, TimeoutError, OSError):
                await asyncio.sleep(_PAUSE_S)
            else:
                self.inbox_reads += 1
                now = time.monotonic()
                for item in kept:
                    self._titles.setdefault(str(item["title"]), now)
                return
