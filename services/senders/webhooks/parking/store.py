"""The notices in PostgreSQL. See notices.py."""

from collections.abc import Sequence

import asyncpg

from runtime import clock, postgres
from services.senders.webhooks.parking.notices import Notice
from services.senders.webhooks.parking.records import read_key
from services.senders.webhooks.parking.rows import SQL

_TAKEN = 20


class PostgresNotices:
    """Implements notices.NoticeStore. now: PostgreSQL's time."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, now: clock.Clock) -> None:
        self._pool = pool
        self._now = now

    async def take(self, taken_s: float) -> Sequence[Notice]:
        """See notices.NoticeStore."""
        now = self._now()
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(SQL.take_notices, now, now + int(taken_s * 1_000_000), _TAKEN)
        return [
            Notice(
                row["id"],
                read_key(row),
                row["kind"],
                row["reason"],
                row["at_us"],
                row["failing_since_us"],
                row["revision"],
            )
            for row in sorted(rows, key=lambda row: row["id"])
        ]

    async def end(self, notice: Notice) -> None:
        """See notices.NoticeStore."""
        with postgres.unavailable_while_down():
            await self._pool.execute(SQL.end_notice, notice.id)

    async def put_back(self, notice: Notice, pause_s: float) -> None:
        """See notices.NoticeStore."""
        until = self._now() + int(pause_s * 1_000_000)
        with postgres.unavailable_while_down():
            await self._pool.execute(SQL.put_back_notice, notice.id, until)
