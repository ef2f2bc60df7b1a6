"""Admission's clock in a test's hands: it stands still until it is moved."""

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import asyncpg

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

_CLOCK = "CREATE OR REPLACE FUNCTION ingest.clock() RETURNS timestamptz LANGUAGE sql AS $$ SELECT {} $$"


class Clock:
    """Puts ingest.clock() of one database at a moment: for all processes that use it."""

    def __init__(self, pool: Pool, now: datetime) -> None:
        self._pool = pool
        self.now = now

    async def set(self, now: datetime) -> None:
        """Put it there."""
        self.now = now
        await self._pool.execute(_CLOCK.format(f"timestamptz '{now.isoformat()}'"))

    async def step(self, **by: float) -> None:
        """Let it move on by so much whenever it is read from now on."""
        await self._pool.execute("CREATE SEQUENCE ingest.readings")
        passed = f"nextval('ingest.readings') * interval '{timedelta(**by).total_seconds()} seconds'"
        await self._pool.execute(_CLOCK.format(f"timestamptz '{self.now.isoformat()}' + {passed}"))

    async def forward(self, **by: float) -> None:
        """Move it on, by what timedelta takes."""
        await self.set(self.now + timedelta(**by))


async def stopped(pool: Pool, now: datetime | None = None) -> Clock:
    """Return a clock that stands at now; by default at this moment."""
    clock = Clock(pool, now or datetime.now(UTC))
    await clock.set(clock.now)
    return clock
