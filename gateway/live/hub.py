"""One stream of changed events for all pages of this gateway."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from clarion.ingest.v1 import activity_pb2
from gateway.live.watches import Watch, union
from runtime import logs
from runtime.errors import ClarionError

# Tenants that a stream may name; more are asked for as all, and sorted out here.
_MAX_TENANTS = 2000
# Between two attempts to open the stream, seconds.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0
# How long the stream stays open after the last page has left: a page that is loaded again finds it, seconds.
_LINGER_S = 5.0

log = logs.get(__name__)

OpenStream = Callable[[Collection[str]], AsyncIterator[activity_pb2.TailResponse]]


class Listener(Protocol):
    """A page."""

    @property
    def watches(self) -> Collection[Watch]:
        """What it watches now."""

    def take(self, batch: activity_pb2.TailResponse) -> None:
        """Take changes. It must not wait."""

    def away(self) -> None:
        """Learn that changes do not come for now; a batch that says that it was interrupted follows."""


@dataclass(slots=True)
class _Stream:
    """An open stream. tenants: None: all."""

    tenants: frozenset[str] | None
    task: "asyncio.Task[None]"
    ready: asyncio.Event

    def covers(self, watches: Collection[Watch]) -> bool:
        tenants = union(watches)
        return self.tenants is None or (tenants is not None and tenants <= self.tenants)

    async def is_ready(self) -> bool:
        """Wait until changes are watched; return whether they are, or the stream has failed."""
        ready = asyncio.ensure_future(self.ready.wait())
        await asyncio.wait({ready, self.task}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        return self.ready.is_set() and not self.task.done()

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})


class LiveHub:
    """Hands changes to the pages. open_stream: of these tenants; none: of all."""

    def __init__(self, open_stream: OpenStream) -> None:
        self._open_stream = open_stream
        self._listeners: set[Listener] = set()
        self._running: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def join(self, listener: Listener) -> None:
        """Hand changes to this page from now on. Call watches_changed() afterwards."""
        self._listeners.add(listener)

    def leave(self, listener: Listener) -> None:
        """Hand it nothing more."""
        self._listeners.discard(listener)
        self._changed.set()

    def watches_changed(self) -> None:
        """Open the stream, or another one if it lacks tenants that a page watches now."""
        if self._watches() and (self._running is None or self._running.done()):
            self._running = asyncio.create_task(self._run(), name="live")
            # A page may come while the stream of those before it is being closed.
            self._running.add_done_callback(lambda _: self.watches_changed())
        self._changed.set()

    async def close(self) -> None:
        """End the stream."""
        self._listeners.clear()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    def _watches(self) -> list[Watch]:
        return [watch for listener in self._listeners for watch in listener.watches]

    async def _run(self) -> None:
        """Keep a stream open while somebody watches."""
        stream = await self._reopened(is_first=True)
        try:
            while await self._is_watched():
                self._changed.clear()
                if stream.task.done():
                    stream = await self._reopened()
                elif not stream.covers(self._watches()):
                    stream = await self._replaced(stream)
                changed = asyncio.ensure_future(self._changed.wait())
                await asyncio.wait({changed, stream.task}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
        finally:
            await stream.end()

    async def _is_watched(self) -> bool:
        """Return whether somebody watches; if nobody does, wait a little for another page."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                while not self._watches():
                    self._changed.clear()
                    await self._changed.wait()
        return bool(self._watches())

    def _opened(self) -> _Stream:
        tenants = union(self._watches())
        asked = None if tenants is None or len(tenants) > _MAX_TENANTS else tenants
        ready = asyncio.Event()
        return _Stream(asked, asyncio.create_task(self._read(asked, ready), name="live stream"), ready)

    async def _read(self, tenants: frozenset[str] | None, ready: asyncio.Event) -> None:
        try:
            async for batch in self._open_stream(sorted(tenants or ())):
                ready.set()
                for listener in list(self._listeners):
                    listener.take(batch)
        except ClarionError as error:
            log.info("live_stream_ended", code=error.code.name, detail=error.detail)

    async def _reopened(self, *, is_first: bool = False) -> _Stream:
        """Return a stream that is ready, or the last one that failed when nobody watches any more."""
        if not is_first:
            for listener in list(self._listeners):
                listener.away()
        failures = 0
        while True:
            stream = self._opened()
            if await stream.is_ready():
                if not is_first or failures:
                    for listener in list(self._listeners):
                        listener.take(activity_pb2.TailResponse(interrupted=True))
                return stream
            await stream.end()
            if not self._watches():
                return stream
            await _pause(failures)
            failures += 1

    async def _replaced(self, stream: _Stream) -> _Stream:
        """Open another stream, and end the old one when it is ready, so that nothing is missed between them."""
        new = self._opened()
        if await new.is_ready():
            await stream.end()
            return new
        await new.end()
        await _pause(0)
        self._changed.set()
        return stream


async def _pause(failures: int) -> None:
    pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(failures, 10))
    await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
