"""Counts the ids of a long load: accepted, and how often each was recorded."""

import asyncio
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg

from bench.figures import percentile
from bench.load import Answer

_RUN_LENGTH = 16
_PAGE = 20_000
_STALLED_S = 90.0
_LEDGER_S = 120.0
# Commit times are those of track_commit_timestamp: see bench.ground.
_ROWS = """
SELECT id, split_part(body_text, '#', 2) AS unique_id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS at
FROM senders.outbox WHERE id > $1 AND tenant_id = $2 ORDER BY id LIMIT $3
"""
_COUNT = "SELECT count(*) FROM senders.outbox WHERE tenant_id = $1"
_FINISHED = "SELECT count(*) FROM ingest.events WHERE tenant_id = $1 AND finished_at IS NOT NULL"


@dataclass
class Batch:
    """The events of one run of the generator, by number. first: when each was recorded; times: how often."""

    run: str
    due: "array[float]"
    accepted: bytearray
    first: "array[float]" = field(init=False)
    times: bytearray = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is recorded yet."""
        self.first = array("d", bytes(8 * len(self.due)))
        self.times = bytearray(len(self.due))

    @classmethod
    def of(cls, run: str, answer: Answer) -> "Batch":
        """Keep only what the count needs, because a long load has millions of events."""
        return cls(run, array("d", answer.due), bytearray(status == 200 for status in answer.status))

    def note(self, number: int, at: float) -> None:
        """Add a record."""
        self.times[number] = min(255, self.times[number] + 1)
        if not self.first[number] or at < self.first[number]:
            self.first[number] = at

    def end_to_end_ms(self) -> tuple[float, float]:
        """Return p50 and p95 of the recorded events, from the time when each was due."""
        took = sorted(at - due for at, due in zip(self.first, self.due, strict=True) if at)
        return percentile(took, 0.5) * 1000, percentile(took, 0.95) * 1000


@dataclass(frozen=True)
class Total:
    """The totals. unasked: recorded but not accepted. finished: finished events in the ledger."""

    accepted: int
    missing: int
    repeated: int
    unasked: int
    finished: int

    @property
    def clean(self) -> bool:
        """Whether each accepted event was recorded once and is finished in the ledger."""
        return not self.missing and not self.repeated and self.finished >= self.accepted

    def __str__(self) -> str:
        return (
            f"{self.accepted:,} accepted, {self.missing:,} missing, {self.repeated:,} recorded again,"
            f" {self.unasked:,} recorded without a 200, {self.finished:,} finished in the ledger"
        )


def count(batches: Sequence[Batch], finished: int) -> Total:
    """Return the sum of the batches."""
    accepted = missing = repeated = unasked = 0
    for batch in batches:
        for taken, times in zip(batch.accepted, batch.times, strict=True):
            accepted += taken
            missing += bool(taken and not times)
            unasked += bool(times and not taken)
            repeated += max(0, times - 1)
    return Total(accepted, missing, repeated, unasked, finished)


class Ids:
    """The ids of one tenant."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", tenant_id: str) -> None:
        self._sql = connection
        self._tenant_id = tenant_id

    async def recorded(self, wanted: int) -> int:
        """Wait until this many are recorded or none arrived for a while. Return their number."""
        return await self._grown(_COUNT, wanted, _STALLED_S)

    async def total(self, batches: Sequence[Batch]) -> Total:
        """Wait until all is recorded, then read every record. Fills the batches."""
        accepted = sum(sum(batch.accepted) for batch in batches)
        await self.recorded(accepted)
        finished = await self._grown(_FINISHED, accepted, _LEDGER_S)
        await self._read({batch.run: batch for batch in batches})
        return count(batches, finished)

    async def _read(self, batches: dict[str, Batch]) -> None:
        cursor = 0
        while rows := await self._sql.fetch(_ROWS, cursor, self._tenant_id, _PAGE):
            for row in rows:
                batch = batches.get(row["unique_id"][:_RUN_LENGTH])
                if batch is not None:
                    batch.note(int(row["unique_id"][_RUN_LENGTH:]), row["at"])
            cursor = rows[-1]["id"]

    async def _grown(self, query: str, wanted: int, stalled_s: float) -> int:
        """Poll a count until it is high enough or has stopped growing."""
        last, until = -1, time.monotonic() + stalled_s
        while (count := int(await self._sql.fetchval(query, self._tenant_id))) < wanted:
            if count > last:
                last, until = count, time.monotonic() + stalled_s
            elif time.monotonic() > until:
                break
            await asyncio.sleep(1.0)
        return count
