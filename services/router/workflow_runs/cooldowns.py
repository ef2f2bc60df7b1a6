"""Cooldowns in PostgreSQL: exactly one of many runs that begin at the same time takes one."""

from collections.abc import Collection, Sequence
from pathlib import Path

import asyncpg

from runtime import postgres
from services.router.workflow_runs.ports import Cooldown

_SQL = postgres.Queries(Path(__file__).with_name("cooldowns.sql"))


class PostgresCooldowns:
    """Implements ports.Cooldowns. Every method raises UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def take(self, wanted: Sequence[Cooldown], now_us: int) -> Collection[str]:
        """See ports.Cooldowns."""
        left, taken = list(wanted), set()
        while left:
            # A statement cannot change a row twice: of several runs for one cooldown the others ask after the first.
            first = {(one.tenant_id, one.workflow_id, one.recipient_id): one for one in reversed(left)}
            columns = list(map(list, zip(*first.values(), strict=True)))
            with postgres.unavailable_while_down():
                rows = await self._pool.fetch(_SQL.take, *columns, now_us)
            taken |= {str(row["workflow_run_id"]) for row in rows}
            asked = {one.workflow_run_id for one in first.values()}
            left = [one for one in left if one.workflow_run_id not in asked]
        return taken

    async def is_held(self, tenant_id: str, workflow_id: str, recipient_id: str, at_us: int) -> bool:
        """Return whether a workflow may not be started for a person then, Unix microseconds; takes nothing."""
        with postgres.unavailable_while_down():
            held: bool = await self._pool.fetchval(_SQL.is_held, tenant_id, workflow_id, recipient_id, at_us)
        return held

    async def forget(self, ended_before_us: int) -> int:
        """Delete up to 1,000 that have ended; return the number deleted."""
        with postgres.unavailable_while_down():
            status = await self._pool.execute(_SQL.forget, ended_before_us)
        return int(status.rpartition(" ")[2])
