"""Follows the ledger's changes for one watcher."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from runtime import logs
from services.ingest.activity import changes
from services.ingest.activity.ports import ChangeFeed
from services.ingest.activity.watching import Changes

# Between two batches, seconds.
INTERVAL_S = 0.25
# How long a watcher waits at most to learn that the feed was interrupted, seconds.
_LOOK_S = 2.0

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """Ids of events that changed, how many more did, by tenant; interrupted: changes may have been missed before it."""

    events: Sequence[str]
    skipped: dict[str, int]
    interrupted: bool


class Tail:
    """Makes batches of changes. sleep: replaced by tests."""

    def __init__(self, feed: ChangeFeed, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._feed = feed
        self._sleep = sleep

    async def batches(self, tenant_ids: Sequence[str]) -> AsyncIterator[Batch]:
        """Yield an empty batch as soon as changes are watched, then changes; no tenants: of all."""
        collected = Changes(frozenset(tenant_ids))
        changed = asyncio.Event()

        def note(message: bytes) -> None:
            try:
                if collected.add(changes.decode(message)):
                    changed.set()
            except ValueError as error:
                log.warning("change_unreadable", error=str(error))

        async with self._feed.follow(note):
            interruptions = self._feed.interruptions
            yield Batch((), {}, interrupted=False)
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await changed.wait()
                interrupted = self._feed.interruptions != interruptions
                if not (changed.is_set() or interrupted):
                    continue
                interruptions = self._feed.interruptions
                changed.clear()
                events, skipped = collected.take()
                yield Batch(events, skipped, interrupted)
                await self._sleep(INTERVAL_S)
