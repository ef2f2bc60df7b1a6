"""Cooldowns in PostgreSQL: exactly one of many runs that begin at the same time takes one."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypeAlias

import asyncpg

from runtime import postgres
from runtime.batching import Batcher, BatchLimits
from services.router.workflow_runs.ports import Cooldown

_SQL = postgres.Queries(Path(__file__).with_name("cooldowns.sql"))

# What one statement takes.
_MAX_TAKEN = 2_000

# Pages of people that ask at the same time, each with its time.
_Asked: TypeAlias = tuple[Sequence[Cooldown], int]


class PostgresCooldowns:
    """Implements ports.Cooldowns: pages that ask at the same time share statements.

    Every method raises UNAVAILABLE while PostgreSQL is away.
    """

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        # What counts as the bytes of an item is the number of its cooldowns.
        limits = BatchLimits(bytes=_MAX_TAKEN)
        self._batcher: Batcher[_Asked, Collection[str]] = Batcher(self._take, limits, size=lambda asked: len(asked[0]))

    async def take(self, wanted: Sequence[Cooldown], now_us: int) -> Collection[str]:
        """See ports.Cooldowns."""
        return await self._batcher.submit((wanted, now_us))

    async def _take(self, asked: Sequence[_Asked]) -> Sequence[Collection[str]]:
        now_us = min(now_us for _, now_us in asked)
        # Of several runs for one cooldown the first one asks: it takes it, or another run has it, perhaps one of these.
        first = {one[:3]: one for wanted, _ in reversed(asked) for one in reversed(wanted)}
        columns = list(map(list, zip(*first.values(), strict=True)))
        with postgres.unavailable_while_down():
            taken = {str(row["workflow_run_id"]) for row in await self._pool.fetch(_SQL.take, *columns, now_us)}
            if len(taken) < len(first):
                rest = [one[:3] for one in first.values() if one.workflow_run_id not in taken]
                rows = await self._pool.fetch(_SQL.holders, *map(list, zip(*rest, strict=True)))
                taken |= {str(row["workflow_run_id"]) for row in rows}
        return [{one.workflow_run_id for one in wanted if one.workflow_run_id in taken} for wanted, _ in asked]

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
