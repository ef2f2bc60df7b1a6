"""The inbox and the epochs in PostgreSQL. Every statement about the inbox names the tenant and the user."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from runtime.batching import Batcher
from runtime.configuration import Outbox
from runtime.errors import ClarionError, Code
from runtime.postgres import Queries, answering
from services import topology
from services.realtime.ports import Entry
from services.realtime.principal import Epoch

# Unread notifications are counted up to this many.
MAX_UNREAD = 10_000

# Texts of one page of an inbox; gRPC carries 16 MiB, and one notification has at most 2.
MAX_PAGE_BYTES = 8 * 1024 * 1024

_MAX_ENTRIES = 500
_MAX_ENTRY_BYTES = 4 * 1024 * 1024

_sql = Queries(Path(__file__).parent / "queries.sql")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept:
    """A notification as it is listed. created_at_us: Unix time in microseconds."""

    id: str
    event_type: str
    title: str
    body: str
    read: bool
    created_at_us: int


class InboxStore:
    """Implements services.realtime.ports.Inbox, and the recipient's reads and marks."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._batcher: Batcher[Entry, None] = Batcher(
            self._flush,
            max_items=_MAX_ENTRIES,
            max_waiting=20_000,
            max_bytes=_MAX_ENTRY_BYTES,
            size=lambda entry: len(entry.title) + len(entry.body) + 200,
        )

    async def keep(self, entry: Entry) -> None:
        """Store the entry unless its id is there already. Raises UNAVAILABLE or OVERLOADED."""
        await self._batcher.enqueue(entry)

    async def newest(self, tenant_id: str, user_id: str, *, limit: int, offset: int) -> list[Kept]:
        """Return one page of the user's notifications, newest first. Raises INVALID where it is too large to send."""
        rows = await _guarded(
            lambda: self._pool.fetch(_sql.list_entries, tenant_id, user_id, limit, offset, MAX_PAGE_BYTES)
        )
        if rows and not rows[0]["fits"]:
            description = f"must be smaller: {len(rows)} of these notifications have more than 8 MiB of text"
            raise ClarionError(Code.INVALID, f"limit {description}", fields=[("limit", description)])
        return [
            Kept(str(row["id"]), row["event_type"], row["title"], row["body"], row["read"], row["created_at_us"])
            for row in rows
        ]

    async def unread(self, tenant_id: str, user_id: str) -> int:
        """Count the user's unread notifications, up to MAX_UNREAD."""
        count: int = await _guarded(lambda: self._pool.fetchval(_sql.count_unread, tenant_id, user_id, MAX_UNREAD))
        return count

    async def mark_read(self, tenant_id: str, user_id: str, notification_id: str) -> bool:
        """Mark one as read, the first time for good; False where this user has no such notification."""
        try:
            number = uuid.UUID(notification_id)
        except ValueError:
            return False
        return await _guarded(lambda: self._pool.fetchval(_sql.mark_read, number, tenant_id, user_id)) is not None

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        await self._batcher.drain()

    async def _flush(self, entries: list[Entry]) -> Sequence[BaseException | None]:
        try:
            await _guarded(lambda: self._pool.execute(_sql.keep_entries, *_columns(entries)))
        except asyncpg.PostgresError as error:
            if len(entries) == 1:
                return [error]
            # One entry that PostgreSQL will not have must not take its neighbours down: halve until it is alone.
            middle = len(entries) // 2
            return [*await self._flush(entries[:middle]), *await self._flush(entries[middle:])]
        return [None] * len(entries)


class EpochStore:
    """Reads and raises epochs."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: Outbox) -> None:
        self._pool = pool
        self._outbox = outbox

    async def find(self, users: Sequence[tuple[str, str]]) -> list[Epoch]:
        """Return the epoch of each (tenant_id, user_id), in order. Raises UNAVAILABLE."""
        tenant_ids, user_ids = zip(*users, strict=True)
        rows = await _guarded(lambda: self._pool.fetch(_sql.find_epochs, list(tenant_ids), list(user_ids)))
        return [Epoch(row["tenant_epoch"], row["user_epoch"]) for row in rows]

    async def raise_epoch(self, tenant_id: str, user_id: str = "") -> int:
        """Raise the epoch of a user or (no user_id) of a whole tenant, and tell every process; return the new one.

        Raises UNAVAILABLE.
        """
        epoch = await _guarded(lambda: self._raise(tenant_id, user_id))
        await self._outbox.flush()
        return epoch

    async def _raise(self, tenant_id: str, user_id: str) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            epoch: int = await connection.fetchval(_sql.raise_epoch, tenant_id, user_id)
            key = topology.epochs_key(tenant_id, user_id)
            await self._outbox.add(connection, key, str(epoch).encode())
        return epoch


async def _guarded(work: Callable[[], Awaitable[T]]) -> T:
    """Run a statement; a database that is away is UNAVAILABLE."""
    with answering("The inbox's database"):
        return await work()


def _columns(entries: Sequence[Entry]) -> list[list[Any]]:
    return [
        [entry.id for entry in entries],
        [entry.tenant_id for entry in entries],
        [entry.user_id for entry in entries],
        [entry.event_id for entry in entries],
        [entry.event_type for entry in entries],
        [entry.title for entry in entries],
        [entry.body for entry in entries],
        [entry.created_at_us for entry in entries],
    ]
