"""The receiving end: reads the recorded SMS from the outbox after the load, and counts every id.

The time of a delivery is that of the commit that recorded it (pg_xact_commit_timestamp), on the same clock as the
generator's. Nothing is read while a load runs, but for its end.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

import asyncpg

from bench import load

_PAGE = 20_000
_POLL_S = 0.1

# The comment keeps our own statements out of the count of the stack's: see bench.statements.
_NEWEST = "SELECT coalesce(max(id), 0) FROM senders.outbox /* bench */"
_COUNT = "SELECT count(*) FROM senders.outbox WHERE id > $1 AND tenant_id = $2 /* bench */"
_ROWS = """
SELECT id, split_part(body_text, '#', 2) AS unique_id, event_id::text AS event_id,
    extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS at
FROM senders.outbox
WHERE id > $1 AND tenant_id = $2
ORDER BY id
LIMIT $3 /* bench */
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One SMS in the outbox. at: Unix seconds."""

    unique_id: str
    event_id: str
    at: float


@dataclass(frozen=True)
class Count:
    """The comparison of all sent and recorded ids.

    accepted: answered with success (2xx). refused: answered otherwise. unanswered: no answer. found: accepted ids
    recorded at least once. missing: accepted ids that were not. duplicates: rows beyond the first of an id. unasked:
    recorded, though not accepted (an unanswered event may well have been stored). mixed_up: recorded under another
    event's X-Event-Id than the answer told.
    """

    sent: int
    accepted: int
    refused: int
    unanswered: int
    found: int
    missing: int
    duplicates: int
    unasked: int
    mixed_up: int

    @property
    def clean(self) -> bool:
        """Whether no accepted id is missing, duplicate or unknown."""
        return not (self.missing or self.duplicates or self.mixed_up)


class Sink(Protocol):
    """Where the deliveries of a load arrive."""

    async def mark(self) -> None:
        """Set the mark: everything before belongs to an earlier load."""

    async def wait(self, wanted: int, deadline: float) -> int:
        """Wait until this many are recorded or none arrived for deadline seconds. Return their number."""

    async def read(self) -> list[Recorded]:
        """Return everything recorded since the mark."""


class Outbox:
    """The outbox of one tenant, from a mark on: a Sink."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", tenant_id: str) -> None:
        self._sql = connection
        self._tenant_id = tenant_id
        self._since = 0

    async def mark(self) -> None:
        """See Sink."""
        self._since = int(await self._sql.fetchval(_NEWEST))

    async def wait(self, wanted: int, deadline: float) -> int:
        """See Sink."""
        last, until = -1, time.monotonic() + deadline
        while True:
            count = int(await self._sql.fetchval(_COUNT, self._since, self._tenant_id))
            if count >= wanted:
                return count
            if count > last:
                last, until = count, time.monotonic() + deadline
            elif time.monotonic() > until:
                return count
            await asyncio.sleep(_POLL_S)

    async def read(self) -> list[Recorded]:
        """See Sink."""
        found: list[Recorded] = []
        cursor = self._since
        while True:
            rows = await self._sql.fetch(_ROWS, cursor, self._tenant_id, _PAGE)
            found += [Recorded(row["unique_id"], row["event_id"] or "", row["at"]) for row in rows]
            if len(rows) < _PAGE:
                return found
            cursor = rows[-1]["id"]


def reconcile(sent: load.Answer, run: str, recorded: list[Recorded]) -> tuple[Count, list[float]]:
    """Return the comparison, and the time when each event was first recorded (0: never)."""
    at = [0.0] * len(sent.due)
    number_of = {load.unique_id(run, number): number for number in range(len(sent.due))}
    times: Counter[str] = Counter()
    unasked = mixed_up = 0
    for row in recorded:
        number = number_of.get(row.unique_id)
        times[row.unique_id] += 1
        if number is None or not load.is_accepted(sent.status[number]):
            unasked += times[row.unique_id] == 1
            if number is None:
                continue
        elif sent.event_id[number] != row.event_id:
            mixed_up += 1
        at[number] = min(at[number] or row.at, row.at)
    accepted = sum(map(load.is_accepted, sent.status))
    found = sum(load.is_accepted(status) and moment > 0 for status, moment in zip(sent.status, at, strict=True))
    unanswered = sum(status == 0 for status in sent.status)
    return (
        Count(
            sent=len(sent.due),
            accepted=accepted,
            refused=len(sent.due) - accepted - unanswered,
            unanswered=unanswered,
            found=found,
            missing=accepted - found,
            duplicates=sum(times.values()) - len(times),
            unasked=unasked,
            mixed_up=mixed_up,
        ),
        at,
    )
