"""What runs that have not ended hold of a person: shown, and erased. Of those that have ended nothing is kept."""

import uuid
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from clarion.common.v1 import event_pb2
from runtime import postgres
from runtime.clock import micros_of
from services.router.runs import erase
from services.router.runs.store import read_run

_SQL = postgres.Queries(Path(__file__).with_name("people.sql"))

# Runs that one call looks at.
BATCH = 2_000
_FIRST = str(uuid.UUID(int=0))


@dataclass(frozen=True, slots=True)
class ErasedRuns:
    """runs: the number of runs from which the person was taken. after: the next call's; empty: all are done."""

    runs: int
    after: str


@dataclass(frozen=True, slots=True)
class NamingRun:
    """An event that waits and names the person. Times in Unix microseconds; due_us: 0: it was to be sent at once."""

    event: event_pb2.Event
    due_us: int
    created_us: int


class PeopleInRuns:
    """Reads and rewrites router.runs. Every method raises UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, batch: int = BATCH) -> None:
        self._pool = pool
        self._batch = batch

    async def erase(self, tenant_id: str, user_id: str, now_us: int, after: str = "") -> ErasedRuns:
        """Take a person out of the next runs of a tenant; whoever works on one of them begins that page again."""
        name = user_id.encode()
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                last = await connection.fetchval(_SQL.last_looked_at, tenant_id, after or _FIRST, self._batch)
                rows = await connection.fetch(_SQL.lock_naming, tenant_id, after or _FIRST, name, self._batch)
                left = [
                    remainder
                    for row in rows
                    if (run := read_run(row)) is not None
                    and (remainder := erase.without(run, user_id, now_us, is_closed=row["is_closed"])) is not None
                ]
                if left:
                    columns = [
                        (
                            one.run_id,
                            one.event.SerializeToString(),
                            None if one.output is None else one.output.SerializeToString(),
                            one.sends,
                            one.skips,
                            one.is_closed,
                        )
                        for one in left
                    ]
                    await connection.execute(_SQL.replace, *map(list, zip(*columns, strict=True)), now_us)
        return ErasedRuns(len(left), last or "")

    async def export(self, tenant_id: str, user_id: str, after: str = "") -> tuple[list[NamingRun], str]:
        """Return those of the next runs of a tenant that name a person, and where the next call begins; empty: end."""
        with postgres.unavailable_while_down():
            last = await self._pool.fetchval(_SQL.last_looked_at, tenant_id, after or _FIRST, self._batch)
            rows = await self._pool.fetch(_SQL.naming, tenant_id, after or _FIRST, user_id.encode(), self._batch)
        found = [
            NamingRun(event, micros_of(row["due_at"]) if row["due_at"] else 0, micros_of(row["created_at"]))
            for row in rows
            if erase.names(event := event_pb2.Event.FromString(row["event"]), user_id)
        ]
        return found, last or ""
