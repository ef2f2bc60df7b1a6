"""Stored recipients in PostgreSQL."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import asyncpg
import msgspec

from clarion.common.v1 import event_pb2
from clarion.common.v1.search_pb2 import SearchHit
from runtime import clock, postgres
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain.searching import hit
from services.router.recipients.check import (
    MAX_RECIPIENTS,
    MAX_TAGS,
    CheckedRecipient,
    invalid,
    read_devices,
    read_preferences,
)
from services.router.recipients.row import RecipientRow

# The groups of one recipient; the store of groups holds to it.
MAX_GROUPS_OF_ONE = 1000

BEFORE_ALL = "00000000-0000-0000-0000-000000000000"
AFTER_ALL = "ffffffff-ffff-ffff-ffff-ffffffffffff"

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))
# Seconds to wait for a free connection.
ACQUIRE_S = 5.0

_encode = msgspec.json.Encoder().encode

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@dataclass(frozen=True, slots=True)
class RecipientSearch:
    """Filters of a list: those with all of these tags, and with one of these addresses; empty: any. after: a cursor."""

    tags: Sequence[str] = ()
    email: str = ""
    phone: str = ""
    after: str = ""


class RecipientStore:
    """Reads and writes router.recipients. Every method raises UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(self, tenant_id: str, new: Sequence[CheckedRecipient]) -> list[RecipientRow]:
        """Store recipients and return them in the same order; one that is stored already is replaced.

        Raises CONFLICT if the tenant had more than MAX_RECIPIENTS then.
        """
        wanted = {new_id(): one for one in new}
        items = encode([item(id_, one) for id_, one in wanted.items()])
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=ACQUIRE_S) as connection, connection.transaction():
                ids = [row["id"] for row in await connection.fetch(_SQL.put, tenant_id, items)]
                await connection.execute(_SQL.remove_old_tags, tenant_id, ids)
                await connection.execute(_SQL.add_tags, tenant_id, ids)
                if created := sum(str(one) in wanted for one in ids):
                    await count(connection, tenant_id, created)
                rows = await connection.fetch(_SQL.by_ids, tenant_id, ids)
        stored = {row["recipient_id"]: row_of(row) for row in rows}
        return [stored[one.recipient_id] for one in new]

    async def get(self, tenant_id: str, recipient_id: str) -> RecipientRow | None:
        """Return a recipient; None: they are not stored."""
        with postgres.unavailable_while_down():
            found = await self._pool.fetchval(_SQL.id_of, tenant_id, recipient_id)
            row = await self._pool.fetchrow(_SQL.by_ids, tenant_id, [found]) if found else None
        return row_of(row) if row else None

    async def get_by_id(self, tenant_id: str, id_: str) -> RecipientRow | None:
        """Return a recipient; None: they are not stored. id_: RecipientRow.id."""
        with postgres.unavailable_while_down():
            row = await self._pool.fetchrow(_SQL.by_ids, tenant_id, [id_])
        return row_of(row) if row else None

    async def change_tags(
        self, tenant_id: str, id_: str, add: Sequence[str], remove: Collection[str]
    ) -> RecipientRow | None:
        """Add and remove tags, and return the recipient; None: they are not stored. id_: RecipientRow.id.

        Raises INVALID if more than MAX_TAGS would be left.
        """
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=ACQUIRE_S) as connection, connection.transaction():
                row = await connection.fetchrow(_SQL.lock_tags, tenant_id, id_)
                if row is None:
                    return None
                tags = [tag for tag in dict.fromkeys([*row["tags"], *add]) if tag not in remove]
                if len(tags) > MAX_TAGS:
                    raise invalid([("add", f"must leave at most {MAX_TAGS} tags")])
                if tags != row["tags"]:
                    await connection.execute(_SQL.set_tags, tenant_id, id_, tags)
                    await connection.execute(_SQL.remove_old_tags, tenant_id, [id_])
                    await connection.execute(_SQL.add_tags, tenant_id, [id_])
                [changed] = await connection.fetch(_SQL.by_ids, tenant_id, [id_])
        return row_of(changed)

    async def tags(self, tenant_id: str, prefix: str, limit: int) -> list[tuple[str, int]]:
        """Return tags with the number of their recipients, the most frequent first."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.tags, tenant_id, prefix, limit)
        return [(row["tag"], row["recipients"]) for row in rows]

    async def groups_of(self, tenant_id: str, id_: str) -> list[str]:
        """Return the keys of the groups that a recipient is in. id_: RecipientRow.id."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.groups_of, tenant_id, id_, MAX_GROUPS_OF_ONE)
        return [row["key"] for row in rows]

    async def search(self, query: str, address: str | None, tenant_ids: Sequence[str], limit: int) -> list[SearchHit]:
        """Return up to limit recipients with this id or address; no tenants: of all."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.search, query, address, list(tenant_ids) or None, limit)
        return [hit(row) for row in rows]

    async def page(self, tenant_id: str, search: RecipientSearch, limit: int) -> tuple[list[RecipientRow], str]:
        """Return recipients in the order of their creation, and the next cursor; empty: there are no more."""
        after, tags = search.after or BEFORE_ALL, list(search.tags)
        with postgres.unavailable_while_down():
            if search.email:
                rows = await self._pool.fetch(_SQL.ids_with_email, tenant_id, after, limit, tags, search.email)
            elif search.phone:
                rows = await self._pool.fetch(_SQL.ids_with_phone, tenant_id, after, limit, tags, search.phone)
            elif tags:
                rows = await self._pool.fetch(_SQL.ids_with_tags, tenant_id, after, limit, tags)
            else:
                rows = await self._pool.fetch(_SQL.ids, tenant_id, after, limit)
        return await self.by_ids(tenant_id, [row["id"] for row in rows], limit)

    async def by_ids(self, tenant_id: str, ids: Sequence[object], limit: int) -> tuple[list[RecipientRow], str]:
        """Return the recipients with these ids, and the cursor behind the last if there are limit of them."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.by_ids, tenant_id, ids)
        return list(map(row_of, rows)), str(ids[-1]) if len(ids) == limit else ""

    async def delete(self, tenant_id: str, id_: str) -> int | None:
        """Delete a recipient; return the number of groups that they were in, None: they were not stored.

        id_: RecipientRow.id: the tenant's id of them may be another person's by now.
        """
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=ACQUIRE_S) as connection, connection.transaction():
                found = await connection.fetchval(_SQL.lock, tenant_id, id_)
                if found is None:
                    return None
                await connection.execute(_SQL.lock_groups_of, tenant_id, found)
                left = await connection.execute(_SQL.leave_groups, tenant_id, found)
                await connection.execute(_SQL.delete, tenant_id, found)
                await count(connection, tenant_id, -1)
        return count_of(left)


def encode(items: Sequence[Mapping[str, object]]) -> str:
    """Return items as the JSON that statements take."""
    return _encode(items).decode()


def count_of(status: str) -> int:
    """Return the number of rows of a statement by its status."""
    return int(status.rpartition(" ")[2])


async def count(connection: Connection, tenant_id: str, change: int) -> None:
    """Count recipients that were stored or deleted. Raises CONFLICT if the tenant had more than MAX_RECIPIENTS then."""
    if await connection.fetchval(_SQL.count, tenant_id, change) > MAX_RECIPIENTS and change > 0:
        raise ClarionError(Code.CONFLICT, f"A tenant has at most {MAX_RECIPIENTS:,} recipients: delete some first.")


def item(id_: str, one: CheckedRecipient) -> dict[str, object]:
    """Return a recipient as an item of the JSON that statements take. id_: RecipientRow.id."""
    return {
        "id": id_,
        "recipient_id": one.recipient_id,
        "email": one.email,
        "phone": one.phone,
        "name": one.name,
        "locale": one.locale,
        "timezone": one.timezone,
        "data": msgspec.Raw(one.data),
        "tags": one.tags,
        "muted_channels": one.muted_channels,
        "category_preferences": one.category_preferences,
        "device_tokens": one.device_tokens,
        "inactive": one.inactive,
    }


def row_of(row: asyncpg.Record) -> RecipientRow:
    """Return a row of by_ids."""
    return RecipientRow(
        id=str(row["id"]),
        recipient=CheckedRecipient(
            recipient_id=row["recipient_id"],
            email=row["email"],
            phone=row["phone"],
            name=row["name"],
            locale=row["locale"],
            timezone=row["timezone"],
            data=row["data"].encode(),
            tags=tuple(row["tags"]),
            muted_channels=tuple(map(event_pb2.Channel.ValueType, row["muted_channels"])),
            category_preferences=read_preferences(row["category_preferences"]),
            device_tokens=read_devices(row["device_tokens"]),
            inactive=row["inactive"],
        ),
        is_unique=row["is_unique"],
        created_at_us=clock.micros_of(row["created_at"]),
        updated_at_us=clock.micros_of(row["updated_at"]),
    )
