"""Segments in PostgreSQL."""

import functools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from clarion.common.v1 import event_pb2
from runtime import clock, postgres
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid, new_id
from services.router.recipients.store import ACQUIRE_S, BEFORE_ALL, Connection, Pool, count_of
from services.router.segments.condition import Condition, condition_of
from services.router.segments.filter import parse

# Of one tenant.
MAX_SEGMENTS = 1000
_KEPT_CONDITIONS = 1000
# Workflows, and schedules, that an error names.
_SHOWN = 5

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A segment. filter: JSON. Times in Unix microseconds."""

    id: str
    key: str
    name: str
    filter: bytes
    created_at_us: int
    updated_at_us: int

    @property
    def condition(self) -> Condition:
        """The filter as a condition of SQL."""
        return compiled(self.filter)


@functools.lru_cache(_KEPT_CONDITIONS)
def compiled(raw: bytes) -> Condition:
    """Return a filter's condition. Raises INVALID naming "filter"."""
    return condition_of(parse(raw))


class SegmentStore:
    """Reads and writes router.segments. Every method raises UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, tenant_id: str, key: str, name: str, raw: bytes) -> SegmentRow:
        """Store a segment. Raises CONFLICT if the key is taken, or the tenant has MAX_SEGMENTS."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=ACQUIRE_S) as connection, connection.transaction():
                await connection.execute(_SQL.lock, tenant_id)
                if await connection.fetchval(_SQL.number, tenant_id) >= MAX_SEGMENTS:
                    message = f"A tenant has at most {MAX_SEGMENTS:,} segments: delete some first."
                    raise ClarionError(Code.CONFLICT, message)
                row = await connection.fetchrow(_SQL.insert, tenant_id, new_id(), key, name, raw.decode())
        if row is None:
            raise ClarionError(Code.CONFLICT, "There is a segment with this key.", fields=[("key", "is taken")])
        return _segment(row)

    async def get(self, tenant_id: str, segment_id: str) -> SegmentRow | None:
        """Return a segment; None: there is none with this id."""
        with postgres.unavailable_while_down():
            row = await self._pool.fetchrow(_SQL.get, tenant_id, segment_id)
        return _segment(row) if row else None

    async def exists(self, tenant_id: str, segment_id: str) -> bool:
        """Return whether there is a segment with this id."""
        return await self.get(tenant_id, segment_id) is not None

    async def page(self, tenant_id: str, after: tuple[str, str], limit: int) -> list[SegmentRow]:
        """Return segments in the order of their names. after: name and id of the last one before the page."""
        name, id_ = after
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.page, tenant_id, name, id_ or BEFORE_ALL, limit)
        return list(map(_segment, rows))

    async def update(self, tenant_id: str, segment_id: str, name: str | None, raw: bytes | None) -> SegmentRow | None:
        """Change what is given and return the segment; None: there is none with this id."""
        text = None if raw is None else raw.decode()
        with postgres.unavailable_while_down():
            row = await self._pool.fetchrow(_SQL.update, tenant_id, segment_id, name, text)
        return _segment(row) if row else None

    async def delete(self, tenant_id: str, segment_id: str) -> bool:
        """Delete a segment; False: there is none with this id. Raises CONFLICT if workflows or schedules name it."""
        target = event_pb2.Target(segment_id=segment_id).SerializeToString()
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=ACQUIRE_S) as connection, connection.transaction():
                await connection.execute(_SQL.lock_one, tenant_id, segment_id)
                workflows = await connection.fetch(_SQL.workflows_with, tenant_id, segment_id, _SHOWN)
                schedules = await connection.fetch(_SQL.schedules_with, tenant_id, target, _SHOWN)
                if workflows or schedules:
                    raise _in_use(workflows, schedules)
                return count_of(await connection.execute(_SQL.delete, tenant_id, segment_id)) > 0


async def missing(connection: Connection, tenant_id: str, segment_ids: Collection[str]) -> set[str]:
    """Return those of these ids that are of no segment. The others are not deleted before the transaction ends."""
    wanted = [one for one in segment_ids if is_uuid(one)]
    found = await connection.fetch(_SQL.hold, tenant_id, wanted) if wanted else ()
    return set(segment_ids) - {str(row["id"]) for row in found}


def _in_use(workflows: Sequence[asyncpg.Record], schedules: Sequence[asyncpg.Record]) -> ClarionError:
    users = (("Workflows", workflows), ("Schedules", schedules))
    named = [f"{kind} use this segment: {', '.join(row['name'] for row in rows)}." for kind, rows in users if rows]
    return ClarionError(Code.CONFLICT, f"{' '.join(named)} Remove it from them first.")


def _segment(row: asyncpg.Record) -> SegmentRow:
    return SegmentRow(
        id=str(row["id"]),
        key=row["key"],
        name=row["name"],
        filter=row["filter"].encode(),
        created_at_us=clock.micros_of(row["created_at"]),
        updated_at_us=clock.micros_of(row["updated_at"]),
    )
