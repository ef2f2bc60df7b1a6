"""What counting and the indexes cost the ledger, counted: the figures do not depend on what else the machine does."""

from collections.abc import Sequence
from typing import NamedTuple

from bench.activity import writing
from runtime import postgres
from services.ingest.ledger.record import merge
from services.ingest.ledger.rows import Item
from services.ingest.ledger.store import LedgerStore

# Of an event, the groups of the ledger after the first in which its plan and its attempts come: by its number modulo 5.
# whole: all in one; mixed: a fifth each in three, two fifths in two; apart: each in three.
LOADS = {
    "whole": [(0, 0)] * 5,
    "mixed": [(1, 2), (0, 1), (0, 1), (0, 0), (0, 0)],
    "apart": [(1, 2)] * 5,
}
_GROUPS, _EVENTS = 30, 400
# Of the ledger's statements, with those of the triggers within them.
_STATEMENTS = """
SELECT sum(wal_bytes)::float8 AS wal_bytes, sum(wal_records)::float8 AS wal_records,
    sum(shared_blks_hit + shared_blks_read)::float8 AS buffers, sum(shared_blks_dirtied)::float8 AS dirtied
FROM pg_stat_statements
WHERE toplevel AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND query NOT LIKE '%pg_stat_statements%'
"""


class Work(NamedTuple):
    """Per event. buffers: pages of 8 KiB that were looked at. dirtied: those that were clean before."""

    wal_bytes: float
    wal_records: float
    buffers: float
    dirtied: float
    # Of ingest.activity_new.
    counts: float

    def beside(self, other: "Work") -> str:
        """Return the figures, with how much more than those of the other they are."""
        ratios = [f"{mine:8.2f} {mine / its - 1:+6.1%}" for mine, its in zip(self[:4], other[:4], strict=True)]
        return "  ".join(ratios) + f"  {self.counts:6.3f}"


async def work(url: str, made: Sequence[Sequence[Item]]) -> Work:
    """Write the groups after a first one; return what they cost."""
    pool = await postgres.connect(url, name="bench", size=1)
    await pool.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    for table in ("events", "deliveries", "recipients", "attempts", "activity_new"):
        await pool.execute(f"ALTER TABLE ingest.{table} SET (autovacuum_enabled = false)")
    store = LedgerStore(pool, pool)
    first, *others = made
    await store.write(merge(first))
    await pool.execute("CHECKPOINT")
    counts = "SELECT count(*) FROM ingest.activity_new"
    before = int(await pool.fetchval(counts))
    await pool.execute("SELECT pg_stat_statements_reset()")
    for group in others:
        await store.write(merge(group))
    (row,) = await pool.fetch(_STATEMENTS)
    counted = int(await pool.fetchval(counts)) - before
    await pool.close()
    events = _GROUPS * _EVENTS
    return Work(**{name: value / events for name, value in row.items()}, counts=counted / events)


def groups(load: str) -> list[list[Item]]:
    """Return a group more than are counted: the first one opens connections and fills caches."""
    made: list[list[Item]] = [[] for _ in range(_GROUPS + 3)]
    for number, _ in enumerate(made[:-2]):
        for place, event in enumerate(writing.lives(_EVENTS)):
            plan, attempts = LOADS[load][place % 5]
            made[number].append(event[0])
            made[number + plan].append(event[1])
            made[number + attempts] += event[2:]
    return [group for group in made if group]
