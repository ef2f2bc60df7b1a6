"""Deletes what is older than its tenant's retention, in bounded batches."""

import asyncio
import random
from pathlib import Path

import asyncpg

from runtime import logs, postgres
from runtime.configuration import ConfigurationOutbox
from services.domain import erasures
from services.domain.retention import EXPIRED

# Seconds between two runs, and between two batches of a run.
INTERVAL_S = 600.0
PAUSE_S = 0.2
BATCH = 1000

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))

log = logs.get(__name__)


class RetentionWorker:
    """Runs in every ingest process; one of them works at a time. events_days, payload_days: the defaults."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: ConfigurationOutbox, *, events_days: int, payload_days: int
    ) -> None:
        self._pool = pool
        self._outbox = outbox
        self._events_days = events_days
        self._payload_days = payload_days
        self._parts = 1

    async def run(self) -> None:
        """Delete expired rows every ten minutes until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL_S * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            try:
                await self.expire_all()
                await self.forget()
            except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                log.warning("retention_waits", error=repr(error))

    async def expire_all(self) -> None:
        """Delete everything that has expired, with pauses between batches."""
        more, self._parts = True, 1
        while more:
            more = await self.expire()
            await asyncio.sleep(PAUSE_S)

    async def expire(self) -> bool:
        """Delete one batch of events and one of payloads; return whether there may be more.

        A batch that takes too long is halved: a payload may have 1 MiB.
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
        """Delete up to batch events and payloads; return the numbers deleted. None if another process is deleting."""
        async with postgres.background_transaction(self._pool) as connection:
            if not await connection.fetchval(_QUERIES.lock_retention):
                return 0, 0
            rows = await connection.fetch(_QUERIES.expired_events, self._events_days, batch, batch)
            if rows:
                await connection.execute(_QUERIES.delete_events, [row["id"] for row in rows])
            payloads = await connection.fetchval(_QUERIES.delete_expired_payloads, self._payload_days, batch, batch)
        return len(rows), int(payloads)

    async def forget(self) -> None:
        """Delete erasures that nothing needs any more, and replays and unknown records after 90 days."""
        async with self._pool.acquire() as connection, connection.transaction():
            for row in await connection.fetch(_QUERIES.forget_erasures):
                await self._outbox.add(connection, erasures.key(str(row["tenant_id"]), row["recipient"]), None)
            await connection.execute(_QUERIES.forget_replays)
            await connection.execute(_QUERIES.forget_unknown)
        await self._outbox.flush()
