"""Reads and rolls up the counts of the overview."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import asyncpg

from runtime import logs, postgres
from services.ingest.activity.counts import (
    FINE_S,
    HOURLY_S,
    SLOT_S,
    SLOTS_OF_DAY,
    SLOTS_OF_HOUR,
    Count,
    Span,
    slots_of_sums,
)

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))

# Seconds between two roll-ups; each leaves the tables at most this far apart.
ROLL_UP_S = 15.0
# What a roll-up takes at once, and how many such batches before other processes get a turn.
BATCH = 20_000
_MOST_BATCHES = 20
# Every so many roll-ups what has expired is deleted: about every ten minutes.
_ROUNDS = 40

log = logs.get(__name__)


class ActivityStore:
    """Reads and writes the sums. durable: a pool with durable commits. events_days: the default retention."""

    def __init__(self, durable: "asyncpg.Pool[asyncpg.Record]", *, events_days: int) -> None:
        self._durable = durable
        self._events_days = events_days

    async def counts(self, tenant_ids: Sequence[str], span: Span) -> list[Count]:
        """Return the counts of these tenants, by step; no tenants: of all."""
        rows = await self._durable.fetch(
            _QUERIES.counts, list(tenant_ids) or None, span.first, span.end, span.step, slots_of_sums(span.step)
        )
        return [Count(*row) for row in rows]

    async def oldest(self, tenant_ids: Sequence[str]) -> "asyncpg.Record | None":
        """Return the event that has been under way for the longest time; no tenants: of all."""
        return await self._durable.fetchrow(_QUERIES.oldest, list(tenant_ids) or None)

    async def waiting_delivery(self, event_id: str) -> "asyncpg.Record | None":
        """Return the delivery for which an event is not finished; None: it is not planned, or is finished by now."""
        return await self._durable.fetchrow(_QUERIES.waiting_delivery, event_id)

    async def roll_up(self) -> int:
        """Add a batch of new rows to the sums, and delete batches of sums of five minutes and hours that are too old.

        Return their number; 0 also if another process is doing it.
        """
        now = int(time.time())
        # Whole days, so that a step is never cut in two.
        fine_from, hourly_from = ((now - kept) // SLOT_S // SLOTS_OF_DAY * SLOTS_OF_DAY for kept in (FINE_S, HOURLY_S))
        async with postgres.background_transaction(self._durable) as connection:
            if not await connection.fetchval(_QUERIES.lock_roll_up):
                return 0
            added = int(await connection.fetchval(_QUERIES.add_new, fine_from, hourly_from))
            hours = int(await connection.fetchval(_QUERIES.delete_finer, hourly_from, SLOTS_OF_HOUR))
            return added + hours + int(await connection.fetchval(_QUERIES.delete_finer, fine_from, 1))

    async def expire(self) -> int:
        """Delete a batch of sums of deleted events; return their number."""
        async with postgres.background_transaction(self._durable) as connection:
            return int(await connection.fetchval(_QUERIES.delete_expired, self._events_days))

    async def keep_rolled_up(self) -> None:
        """Roll up and delete what has expired, until cancelled."""
        turn = 0
        while True:
            await asyncio.sleep(ROLL_UP_S * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, not a secret
            turn += 1
            try:
                await _repeat(self.roll_up)
                if turn % _ROUNDS == 0:
                    await _repeat(self.expire)
            except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                log.warning("activity_roll_up_failed", error=repr(error))


async def _repeat(work: Callable[[], Awaitable[int]]) -> None:
    """Repeat work while it does whole batches, within bounds."""
    for _ in range(_MOST_BATCHES):
        if await work() < BATCH:
            return
