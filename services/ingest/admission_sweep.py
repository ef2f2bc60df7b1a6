"""Deletes expired keys from admission's table, a part of the table at a time.

Keys expire in no order, and an index by expiry would cost every event. So each run reads the next part of the table:
the whole of it in about a hundred runs, or at once while it is small.
"""

from pathlib import Path

import asyncpg

from runtime import postgres

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))
# Pages of one transaction, and at least so many of one run (8 MiB).
_BATCH = 512
_LEAST = 1024
# After so many runs the whole table was read.
_RUNS = 100


class AdmissionSweep:
    """One process's sweep. Other processes may run theirs at the same time."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, batch: int = _BATCH, least: int = _LEAST) -> None:
        self._pool = pool
        self._batch = batch
        self._least = least
        self._next = 0

    async def run(self) -> None:
        """Delete the keys of the next part that expired an hour ago."""
        async with postgres.background_transaction(self._pool) as connection:
            pages = await connection.fetchval(_QUERIES.admission_pages)
        first = self._next if self._next < pages else 0
        last = min(pages, first + max(self._least, pages // _RUNS))
        for begin in range(first, last, self._batch):
            async with postgres.background_transaction(self._pool) as connection:
                await connection.execute(_QUERIES.sweep_admission, (begin, 0), (min(last, begin + self._batch), 0))
        self._next = last
