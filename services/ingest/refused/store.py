"""Refused requests in PostgreSQL: written in batches, kept for a week and within a bound of rows."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from clarion.ingest.v1 import refusals_pb2
from runtime import logs, postgres
from runtime.clock import micros_of
from runtime.ids import new_id
from services.ingest.refused.kinds import KnownKey, RefusalRow, rows

KEEP_DAYS = 7
# Of a tenant, and of all without a tenant together. Between two sweeps there may be more.
MAX_ROWS = 10_000
_SWEEP_S = 60.0
# What a sweep deletes at most by each of its rules (queries.sql); the pause before the next one, seconds.
_SWEPT_AT_ONCE = 5_000
_SWEEP_PAUSE_S = 0.2

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class RefusalSearch:
    """Filters of the list; None: any. Times in Unix microseconds."""

    tenant_ids: list[str] | None = None
    status: int | None = None
    key_id: str | None = None
    reason: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    before: str | None = None


class RefusalStore:
    """Reads and writes ingest.refused_requests. secret: keys the digests by which rows are found again."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", secret: bytes, *, max_rows: int = MAX_ROWS) -> None:
        self._pool = pool
        self._secret = secret
        self._max_rows = max_rows

    async def record(self, counted: Sequence[refusals_pb2.CountedRefusals]) -> None:
        """Add what a gateway has counted: two statements, however many there are."""
        digests = list({one.key_digest for one in counted if one.key_digest})
        keys = {}
        if digests:
            found = await self._pool.fetch(_QUERIES.keys, digests)
            keys = {bytes(row["digest"]): _known(row) for row in found}
        made = rows(counted, keys, self._secret)
        if made:
            await self._pool.execute(_QUERIES.record, *_columns(made))

    async def list(self, search: RefusalSearch, limit: int) -> list[refusals_pb2.Refusals]:
        """Return up to limit rows, newest first."""
        found = await self._pool.fetch(
            _QUERIES.page,
            search.tenant_ids,
            search.status,
            search.key_id,
            search.reason,
            search.since_us,
            search.until_us,
            search.before,
            limit,
        )
        return [_shown(row) for row in found]

    async def reasons(self, search: RefusalSearch) -> Sequence[tuple[str, int]]:
        """Return the number of requests by reason, of the newest 10,000 rows. The reason searched for is left out."""
        found = await self._pool.fetch(
            _QUERIES.reasons,
            search.tenant_ids,
            search.status,
            search.key_id,
            search.since_us,
            search.until_us,
            MAX_ROWS,
        )
        return [(row["reason"], row["found"]) for row in found]

    async def sweep(self) -> int:
        """Delete rows that are too old or too many; return their number."""
        deleted = 0
        async with postgres.background_transaction(self._pool) as connection:
            for query, bound in ((_QUERIES.sweep_old, KEEP_DAYS), (_QUERIES.sweep_many, self._max_rows)):
                deleted += int((await connection.execute(query, bound)).rpartition(" ")[2])
        return deleted

    async def keep_swept(self) -> None:
        """Sweep every minute until cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_S * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, not a secret
            try:
                # Many rows are deleted in pieces, with room for others between them.
                while True:
                    if await self.sweep() < _SWEPT_AT_ONCE:
                        break
                    await asyncio.sleep(_SWEEP_PAUSE_S)
            except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                log.warning("refusals_sweep_failed", error=repr(error))


def _known(row: Any) -> KnownKey:
    if row["is_revoked"]:
        state = "revoked" if row["id"] else "rotated"
    elif row["is_expired"]:
        state = "expired"
    elif row["disabled"]:
        state = "disabled"
    else:
        state = "valid" if row["active"] else "inactive"
    return KnownKey(str(row["tenant_id"]), str(row["id"] or ""), row["last4"], state)


def _columns(made: Sequence[RefusalRow]) -> tuple[list[Any], ...]:
    return (
        [new_id() for _ in made],
        [row.kind for row in made],
        [row.tenant_id or None for row in made],
        [row.key_id or None for row in made],
        [row.key_prefix for row in made],
        [row.key_last4 for row in made],
        [row.key_state for row in made],
        [row.counted.network for row in made],
        [row.counted.method for row in made],
        [row.counted.route for row in made],
        [row.counted.status for row in made],
        [row.reason for row in made],
        [row.counted.detail for row in made],
        [msgspec.json.encode(list(row.counted.fields)).decode() for row in made],
        [row.counted.trace_id for row in made],
        [row.counted.count for row in made],
        [row.counted.first_at_us for row in made],
        [row.counted.last_at_us for row in made],
    )


def _shown(row: Any) -> refusals_pb2.Refusals:
    shown = refusals_pb2.Refusals(
        id=str(row["id"]),
        tenant_id=str(row["tenant_id"] or ""),
        network=row["network"],
        method=row["method"],
        route=row["route"],
        status=row["status"],
        reason=row["reason"],
        detail=row["detail"],
        fields=row["fields"],
        trace_id=row["trace_id"],
        count=row["count"],
        first_at_us=micros_of(row["first_at"]),
        last_at_us=micros_of(row["last_at"]),
    )
    if row["key_state"]:
        shown.key.id = str(row["key_id"] or "")
        shown.key.name = row["key_name"] or ""
        shown.key.prefix, shown.key.last4, shown.key.state = row["key_prefix"], row["key_last4"], row["key_state"]
    return shown
