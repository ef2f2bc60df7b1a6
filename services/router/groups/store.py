"""Groups of stored recipients in PostgreSQL."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from runtime import clock, logs, postgres
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.router.groups.check import MAX_GROUPS
from services.router.recipients.check import invalid
from services.router.recipients.store import BEFORE_ALL, MAX_GROUPS_OF_ONE, Connection, Pool, count_of

# Rows of one statement; seconds between two rounds, and between two statements of a round.
BATCH = 1000
INTERVAL_S = 60.0
PAUSE_S = 0.2

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))
_ACQUIRE_S = 5.0

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group. id: its cursor. members: their number. created_at_us: Unix microseconds."""

    id: str
    key: str
    name: str
    members: int
    created_at_us: int


class GroupStore:
    """Reads and writes router.groups and its members. Methods raise UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, tenant_id: str, key: str, name: str) -> GroupRow:
        """Store a group, or rename it. Raises CONFLICT if the tenant had more than MAX_GROUPS then."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=_ACQUIRE_S) as connection, connection.transaction():
                row = await connection.fetchrow(_SQL.put, tenant_id, new_id(), key, name)
                if row is None:
                    raise AssertionError("an upsert returns its row")
                if row["is_new"]:
                    await _count(connection, tenant_id, 1)
        return _group(row)

    async def get(self, tenant_id: str, key: str) -> GroupRow | None:
        """Return a group; None: there is none with this key."""
        with postgres.unavailable_while_down():
            row = await self._pool.fetchrow(_SQL.get, tenant_id, key)
        return _group(row) if row else None

    async def page(self, tenant_id: str, search: str, after: str, limit: int) -> list[GroupRow]:
        """Return groups in the order of their creation.

        search: a part of the key or the name, in any case; empty: any. after: of the last one before the page; empty:
        the first.
        """
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.page, tenant_id, after or BEFORE_ALL, limit, search)
        return list(map(_group, rows))

    async def delete(self, tenant_id: str, key: str) -> bool:
        """Delete a group; its members stay stored. False: there is none with this key."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=_ACQUIRE_S) as connection, connection.transaction():
                if not count_of(await connection.execute(_SQL.delete, tenant_id, key)):
                    return False
                await _count(connection, tenant_id, -1)
        return True

    async def change_members(
        self, tenant_id: str, key: str, add: Sequence[str], remove: Sequence[str]
    ) -> tuple[int, int] | None:
        """Return how many members were added and removed; None: there is no such group.

        add, remove: recipients' ids. Raises INVALID if one that is to be added is not stored, or is in too many groups.
        """
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=_ACQUIRE_S) as connection, connection.transaction():
                rows = await connection.fetch(_SQL.lock_recipients, tenant_id, add)
                group_id = await connection.fetchval(_SQL.lock, tenant_id, key)
                if group_id is None:
                    return None
                stored = {row["recipient_id"]: row["id"] for row in rows}
                await _check_members(connection, tenant_id, group_id, add, stored)
                added = count_of(await connection.execute(_SQL.add_members, tenant_id, group_id, [*stored.values()]))
                removed = count_of(await connection.execute(_SQL.remove_members, tenant_id, group_id, remove))
                await connection.execute(_SQL.count_members, tenant_id, group_id, added - removed)
        return added, removed

    async def member_ids(self, group_id: str, after: str, limit: int) -> list[object]:
        """Return the ids of members' rows in the order of their creation. group_id: GroupRow.id."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.member_ids, group_id, after or BEFORE_ALL, limit)
        return [row["id"] for row in rows]

    async def remove_deleted(self) -> bool:
        """Delete one batch of the rows of deleted groups; return whether there may be more."""
        async with postgres.background_transaction(self._pool) as connection:
            removed = count_of(await connection.execute(_SQL.remove_members_of_deleted, BATCH))
            await connection.execute(_SQL.remove_deleted)
        return removed > 0

    async def keep_removing_deleted(self) -> None:
        """Delete the rows of deleted groups every minute, for ever."""
        while True:
            pause = INTERVAL_S * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
            try:
                if await self.remove_deleted():
                    pause = PAUSE_S
            except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                log.warning("deleted_groups_wait", error=repr(error))
            await asyncio.sleep(pause)


async def _check_members(
    connection: Connection, tenant_id: str, group_id: str, add: Sequence[str], stored: Mapping[str, str]
) -> None:
    full = await connection.fetch(_SQL.in_too_many, tenant_id, [*stored.values()], MAX_GROUPS_OF_ONE, group_id)
    too_many = {row["id"] for row in full}
    faults = []
    for position, recipient_id in enumerate(add):
        if recipient_id not in stored:
            faults.append((f"add[{position}]", "is not the id of a stored recipient"))
        elif stored[recipient_id] in too_many:
            faults.append((f"add[{position}]", f"is in {MAX_GROUPS_OF_ONE:,} groups already"))
    if faults:
        raise invalid(faults)


async def _count(connection: Connection, tenant_id: str, change: int) -> None:
    if await connection.fetchval(_SQL.count, tenant_id, change) > MAX_GROUPS and change > 0:
        raise ClarionError(Code.CONFLICT, f"A tenant has at most {MAX_GROUPS:,} groups: delete some first.")


def _group(row: asyncpg.Record) -> GroupRow:
    return GroupRow(
        id=str(row["id"]),
        key=row["key"],
        name=row["name"],
        members=row["members"],
        created_at_us=clock.micros_of(row["created_at"]),
    )
