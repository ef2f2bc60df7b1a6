"""Takes an erased person out of the runs that have not ended. Of those that have ended nothing is kept."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from runtime import postgres
from services.router.runs import erase
from services.router.runs.store import read_run

_SQL = postgres.Queries(Path(__file__).with_name("people.sql"))

# Runs that one call looks at, and those that it reads: with their outputs they may have a megabyte each.
BATCH = 2_000
READ = 50
_FIRST = str(uuid.UUID(int=0))


@dataclass(frozen=True, slots=True)
class ErasedRuns:
    """runs: the number of runs from which the person was taken. after: the next call's; empty: all are done."""

    runs: int
    after: str


class PeopleInRuns:
    """Rewrites router.runs. Raises UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, batch: int = BATCH, read: int = READ) -> None:
        self._pool = pool
        self._batch = batch
        self._read = read

    async def erase(
        self, tenant_id: str, user_id: str, now_us: int, after: str = "", addresses: Collection[str] = ()
    ) -> ErasedRuns:
        """Take a person out of the next runs of a tenant. A router that works on one of them decides its page again.

        addresses: of the person, who is known by them where an event describes them without an id.
        """
        wanted = {address.lower() for address in addresses if address}
        names = [one.encode() for one in (user_id, *sorted(wanted))]
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                last = await connection.fetchval(_SQL.last_looked_at, tenant_id, after or _FIRST, self._batch)
                rows = await connection.fetch(
                    _SQL.lock_naming, tenant_id, after or _FIRST, names, self._batch, self._read
                )
                if len(rows) == self._read:
                    last = str(rows[-1]["id"])
                left = [
                    remainder
                    for row in rows
                    if (run := read_run(row)) is not None
                    and (remainder := erase.without(run, user_id, now_us, is_closed=row["is_closed"], addresses=wanted))
                    is not None
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
