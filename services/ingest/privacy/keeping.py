"""Lets go of what is past its tenant's days, in bounded batches."""

import asyncio
import random
from pathlib import Path

import asyncpg

from runtime import logs, postgres
from runtime.configuration import Outbox
from services import erasures
from services.retention import EXPIRED

# Between two looks, seconds; while there is more to do, between two batches.
INTERVAL_S = 600.0
PAUSE_S = 0.2
BATCH = 1000

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))

log = logs.get(__name__)


class Keeper:
    """Runs in every ingest process; of several at a time one works. events_days, payload_days: the defaults."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: Outbox, *, events_days: int, payload_days: int
    ) -> None:
        self._pool = pool
        self._outbox = outbox
        self._events_days = events_days
        self._payload_days = payload_days

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
        more = True
        while more:
            more = await self.expire()
            await asyncio.sleep(PAUSE_S)

    async def expire(self) -> bool:
        """Delete one batch of events and one of payloads; tell whether there may be more."""
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(_QUERIES.lock_retention):
                return False
            rows = await connection.fetch(_QUERIES.expired_events, self._events_days, BATCH, BATCH, timeout=30)
            if rows:
                await connection.execute(_QUERIES.delete_events, [row["id"] for row in rows], timeout=30)
            status = await connection.execute(
                _QUERIES.delete_expired_payloads, self._payload_days, BATCH, BATCH, timeout=30
            )
        payloads = int(status.rpartition(" ")[2])
        EXPIRED.labels("events").inc(len(rows))
        EXPIRED.labels("payloads").inc(payloads)
        if rows or payloads:
            log.info("expired", events=len(rows), payloads=payloads)
        return len(rows) == BATCH or payloads == BATCH

    async def forget(self) -> None:
        """Forget erasures after a week, and replays after their time."""
        async with self._pool.acquire() as connection, connection.transaction():
            for row in await connection.fetch(_QUERIES.forget_erasures):
                await self._outbox.add(connection, erasures.key(str(row["tenant_id"]), row["recipient"]), None)
            await connection.execute(_QUERIES.forget_replays)
        await self._outbox.flush()
