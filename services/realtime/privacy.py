"""Exports, erases and expires the inboxes of recipients."""

import asyncio
import random
from pathlib import Path

import asyncpg

from runtime import logs, postgres
from services.domain.retention import EXPIRED, RetentionPolicies
from services.realtime import places

# Rows per statement, and statements per call.
BATCH = 1000
MAX_BATCHES = 10
# Seconds between two rounds of expiry, and between two batches of one round.
INTERVAL_S = 600.0
PAUSE_S = 0.2
# The number of users of a revoked tenant whose history at the hub is deleted.
MAX_RECENT = 5000

_SQL = postgres.Queries(Path(__file__).with_name("privacy.sql"))
_NAME = "The inbox's database"

log = logs.get(__name__)


class PrivacyStore:
    """Reads and deletes all rows of a recipient in realtime.inbox."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def erase(self, tenant_id: str, user_id: str, until_us: int) -> tuple[int, bool]:
        """Delete notifications of events accepted until until_us (Unix microseconds).

        Returns the number of deleted rows and whether there are more. Raises UNAVAILABLE.
        """
        deleted = 0
        for _ in range(MAX_BATCHES):
            with postgres.unavailable_while_down(_NAME):
                status = await self._pool.execute(_SQL.erase_inbox, tenant_id, user_id, until_us, BATCH)
            count = _count(status)
            deleted += count
            if count < BATCH:
                return deleted, False
        return deleted, True

    async def page(self, tenant_id: str, user_id: str, cursor: str, limit: int) -> "tuple[list[asyncpg.Record], str]":
        """Return up to limit rows, newest first, and the next cursor, empty after the last page. Raises INVALID."""
        after = places.from_cursor(cursor)
        with postgres.unavailable_while_down(_NAME):
            rows = await self._pool.fetch(_SQL.export_inbox, tenant_id, user_id, *after, limit)
        return rows, places.to_cursor(_place(rows[-1])) if len(rows) == limit else ""

    async def recent_users(self, tenant_id: str) -> list[str]:
        """Return the users who received a push recently, at most MAX_RECENT. Raises UNAVAILABLE."""
        with postgres.unavailable_while_down(_NAME):
            rows = await self._pool.fetch(_SQL.recent_users, tenant_id, MAX_RECENT)
        return [row["user_id"] for row in rows]

    async def expire(self, default_days: int, own_days: dict[str, int]) -> bool:
        """Delete one batch of expired rows; return whether there may be more."""
        async with postgres.background_transaction(self._pool) as connection:
            status = await connection.execute(
                _SQL.expire_inbox, default_days, list(own_days), list(own_days.values()), BATCH
            )
        EXPIRED.labels("inbox").inc(_count(status))
        return _count(status) == BATCH

    async def keep_expiring(self, default_days: int, policies: RetentionPolicies) -> None:
        """Delete expired rows every ten minutes until cancelled."""
        pause = 0.0
        while True:
            await asyncio.sleep(pause or INTERVAL_S * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            try:
                pause = PAUSE_S if await self.expire(default_days, policies.inbox_days()) else 0.0
            except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                log.warning("retention_waits", error=repr(error))
                pause = 0.0


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])


def _place(row: "asyncpg.Record") -> places.Place:
    return places.Place(row["created_at_us"], row["event_id"], str(row["id"]))
