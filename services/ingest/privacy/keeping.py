"""Lets go of what is past its tenant's days, in bounded batches."""

import asyncio
import random
from pathlib import Path

import asyncpg

from runtime import logs, postgres
from runtime.configuration import ConfigurationOutbox
from services.domain import erasures
from services.domain.retention import EXPIRED

# Between two looks, seconds; while there is more to do, between two batches.
INTERVAL_S = 600.0
PAUSE_S = 0.2
BATCH = 1000

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))

log = logs.get(__name__)


class Keeper:
    """Runs in every ingest process; of several at a time one works. events_days, payload_days: the defaults."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: ConfigurationOutbox, *, events_days: int, payload_days: int
    ) -> None:
        self._pool = pool
        self._outbox = outbox
        self._events_days = events_days
        self._payload_days = payload_days
        self._parts = 1

    async def run(self) -> None:
        """Tidy up for ever."""
        while True:
            await asyncio.sleep(INTERVAL_S * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            try:
                await self.expire_all()
                await self.forget()
            except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                log.warning("retention_waits", error=repr(error))

    async def expire_all(self) -> None:
        """Delete all that is over its days, resting between batches."""
        more, self._parts = True, 1
        while more:
            more = await self.expire()
            await asyncio.sleep(PAUSE_S)

    async def expire(self) -> bool:
        """Delete one batch of events and one of payloads; tell whether there may be more.

        One that takes too long is tried again with half as many: what events carried may be 1 MiB each.
        """
        batch = max(1, BATCH // self._parts)
        try:
            events, payloads = await self._expire(batch)
        except asyncpg.QueryCanceledError:
            if batch == 1:
                raise
            self._parts *= 2
            log.warning("retention_batch_halved", rows=batch)
            return True
        EXPIRED.labels("events").inc(events)
        EXPIRED.labels("payloads").inc(payloads)
        if events or payloads:
            log.info("expired", events=events, payloads=payloads)
        return batch in (events, payloads)

    async def _expire(self, batch: int) -> tuple[int, int]:
        """Return how many events and payloads of the next so many went; none: another process is at it."""
        async with postgres.background_transaction(self._pool) as connection:
            if not await connection.fetchval(_QUERIES.lock_retention):
                return 0, 0
            rows = await connection.fetch(_QUERIES.expired_events, self._events_days, batch, batch)
            if rows:
                await connection.execute(_QUERIES.delete_events, [row["id"] for row in rows])
            status = await connection.execute(_QUERIES.delete_expired_payloads, self._payload_days, batch, batch)
        return len(rows), int(status.rpartition(" ")[2])

    async def forget(self) -> None:
        """Forget erasures after a week, and replays after their time."""
        async with self._pool.acquire() as connection, connection.transaction():
            for row in await connection.fetch(_QUERIES.forget_erasures):
                await self._outbox.add(connection, erasures.key(str(row["tenant_id"]), row["recipient"]), None)
            await connection.execute(_QUERIES.forget_replays)
        await self._outbox.flush()
