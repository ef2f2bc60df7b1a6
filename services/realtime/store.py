"""Stores the inbox and the epochs in PostgreSQL. Every statement on the inbox names the tenant and the user."""

import asyncio
import contextlib
import random
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from runtime import logs, postgres
from runtime.batching import Batcher, BatchLimits
from runtime.configuration import ConfigurationOutbox
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from runtime.postgres import Queries, unavailable_while_down
from services.domain import topology
from services.realtime.places import TOP, Place
from services.realtime.ports import InboxEntry
from services.realtime.principal import Epoch
from services.realtime.tokens import MAX_LIFETIME_S

# Unread notifications are counted up to this many.
MAX_UNREAD = 10_000

# Notifications that one call marks as read.
MAX_MARKED = 1_000

# Bytes of text in one page of an inbox. A gRPC answer has at most 16 MiB, and one notification at most 2 MiB.
MAX_PAGE_BYTES = 8 * 1024 * 1024

_MAX_ENTRIES = 500
_MAX_ENTRY_BYTES = 4 * 1024 * 1024

_sql = Queries(Path(__file__).parent / "queries.sql")

# How long a user's epoch is kept after its last token was issued, in seconds. A token is valid for a day at most, its
# use is recorded once an hour, and another process may learn of a new epoch a minute late.
EPOCH_KEEP_S = MAX_LIFETIME_S + 7200
_EXPIRED_ROWS = 1000
_EXPIRE_EVERY_S = 600.0

T = TypeVar("T")

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """A notification as listed to its recipient. created_at_us: Unix time in microseconds."""

    id: str
    event_id: str
    event_type: str
    title: str
    body: str
    read: bool
    created_at_us: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some notifications of a user. unread: those of the whole inbox at that moment, up to MAX_UNREAD."""

    entries: list[Kept]
    unread: int


class InboxStore:
    """Implements services.realtime.ports.Inbox, and lists and marks notifications for recipients."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._batcher: Batcher[InboxEntry, None] = Batcher(
            self._flush,
            BatchLimits(items=_MAX_ENTRIES, bytes=_MAX_ENTRY_BYTES),
            size=lambda entry: len(entry.title) + len(entry.body) + 200,
        )

    async def keep(self, entry: InboxEntry) -> None:
        """Store the entry unless its id is already stored. Raises UNAVAILABLE or OVERLOADED."""
        await self._batcher.enqueue(entry)

    async def newest(self, tenant_id: str, user_id: str, *, limit: int, offset: int = 0, after: Place = TOP) -> Page:
        """Return one page of the user's notifications, newest first. Raises INVALID if the page is too large."""
        found = await _guarded(
            lambda: self._pool.fetch(
                _sql.list_entries, tenant_id, user_id, limit, offset, MAX_PAGE_BYTES, *after, MAX_UNREAD
            )
        )
        rows = [row for row in found if row["id"] is not None]
        if rows and not rows[0]["fits"]:
            description = f"must be smaller: {len(rows)} of these notifications have more than 8 MiB of text"
            raise ClarionError(Code.INVALID, f"limit {description}", fields=[("limit", description)])
        entries = [
            Kept(
                str(row["id"]),
                row["event_id"],
                row["event_type"],
                row["title"],
                row["body"],
                row["read"],
                row["created_at_us"],
            )
            for row in rows
        ]
        return Page(entries, found[0]["unread"])

    async def unread(self, tenant_id: str, user_id: str) -> int:
        """Count the user's unread notifications, up to MAX_UNREAD."""
        count: int = await _guarded(lambda: self._pool.fetchval(_sql.count_unread, tenant_id, user_id, MAX_UNREAD))
        return count

    async def find(self, tenant_id: str, user_id: str, notification_id: str) -> "tuple[InboxEntry, int] | None":
        """Return a user's notification, and when it was read: Unix microseconds, 0 for unread. Raises UNAVAILABLE."""
        if not is_uuid(notification_id):
            return None
        row = await _guarded(lambda: self._pool.fetchrow(_sql.find_entry, notification_id, tenant_id, user_id))
        if row is None:
            return None
        entry = InboxEntry(
            id=str(row["id"]),
            tenant_id=tenant_id,
            user_id=user_id,
            event_id=row["event_id"],
            event_type=row["event_type"],
            title=row["title"],
            body=row["body"],
            created_at_us=row["created_at_us"],
        )
        return entry, row["read_at_us"]

    async def mark_read(self, tenant_id: str, user_id: str, notification_id: str) -> bool:
        """Mark a notification as read; return False if this user has no such notification."""
        try:
            number = uuid.UUID(notification_id)
        except ValueError:
            return False
        return await _guarded(lambda: self._pool.fetchval(_sql.mark_read, number, tenant_id, user_id)) is not None

    async def place(self, tenant_id: str, user_id: str, notification_id: str) -> Place | None:
        """Return where a notification stands, None if this user has no such notification. Raises UNAVAILABLE."""
        found = await self.find(tenant_id, user_id, notification_id)
        return None if found is None else Place(found[0].created_at_us, found[0].event_id, found[0].id)

    async def mark_all_read(self, tenant_id: str, user_id: str, until: Place = TOP) -> tuple[int, bool]:
        """Mark the user's notifications up to a place as read, TOP: all. Return how many, and whether there are more.

        One call marks at most MAX_MARKED.
        """
        status: str = await _guarded(
            lambda: self._pool.execute(_sql.mark_all_read, tenant_id, user_id, *until, MAX_MARKED)
        )
        marked = int(status.rpartition(" ")[2])
        return marked, marked == MAX_MARKED

    async def drain(self) -> None:
        """Wait until all started writes have finished."""
        await self._batcher.drain()

    async def _flush(self, entries: list[InboxEntry]) -> Sequence[BaseException | None]:
        try:
            await _guarded(lambda: self._pool.execute(_sql.keep_entries, *_columns(entries)))
        except asyncpg.PostgresError as error:
            if len(entries) == 1:
                return [error]
            # An entry that PostgreSQL refuses must not fail the others: halve the group until it is alone.
            middle = len(entries) // 2
            return [*await self._flush(entries[:middle]), *await self._flush(entries[middle:])]
        return [None] * len(entries)


class EpochStore:
    """Reads and increases epochs. recipient: a user's keyed digest (Pseudonyms.revocation), never the user id."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: ConfigurationOutbox) -> None:
        self._pool = pool
        self._outbox = outbox
        self._uses: Batcher[tuple[str, str], None] = Batcher(self._note)

    async def find(self, users: Sequence[tuple[str, str]]) -> list[Epoch]:
        """Return the epoch of each (tenant_id, recipient), in order. Raises UNAVAILABLE."""
        tenant_ids, recipients = zip(*users, strict=True)
        rows = await _guarded(lambda: self._pool.fetch(_sql.find_epochs, list(tenant_ids), list(recipients)))
        return [Epoch(row["tenant_epoch"], row["user_epoch"]) for row in rows]

    def note_use(self, tenant_id: str, recipient: str) -> None:
        """Record that a token of this epoch was issued, so that the epoch is kept. Does not wait for the write.

        If the write is lost, the epoch may be deleted too early.
        """
        with contextlib.suppress(ClarionError):
            self._uses.enqueue((tenant_id, recipient)).add_done_callback(_overlook)

    async def expire(self) -> bool:
        """Delete up to 1,000 users' epochs that no valid token can have; return whether there may be more."""
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_sql.expire_revocations, EPOCH_KEEP_S, _EXPIRED_ROWS)
            for row in rows:
                await self._outbox.add(connection, topology.revocation_key(row["tenant_id"], row["recipient"]), None)
        await self._outbox.flush()
        return len(rows) == _EXPIRED_ROWS

    async def keep_expiring(self) -> None:
        """Delete expired epochs every ten minutes until cancelled."""
        while True:
            await asyncio.sleep(_EXPIRE_EVERY_S * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            try:
                while await self.expire():
                    pass
            except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                log.warning("retention_waits", error=repr(error))

    async def raise_epoch(self, tenant_id: str, recipient: str = "") -> int:
        """Increase the epoch of a user, or without recipient of a whole tenant; announce it, and return the new epoch.

        Raises UNAVAILABLE.
        """
        epoch = await _guarded(lambda: self._raise(tenant_id, recipient))
        await self._outbox.flush()
        return epoch

    async def _note(self, users: list[tuple[str, str]]) -> list[None]:
        await self._pool.execute(_sql.note_uses, *map(list, zip(*users, strict=True)))
        return [None] * len(users)

    async def _raise(self, tenant_id: str, recipient: str) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            epoch: int = await connection.fetchval(_sql.raise_epoch, tenant_id, recipient)
            key = topology.revocation_key(tenant_id, recipient)
            await self._outbox.add(connection, key, str(epoch).encode())
        return epoch


def _overlook(noted: "asyncio.Future[None]") -> None:
    if not noted.cancelled() and (error := noted.exception()) is not None:
        log.warning("epoch_use_not_noted", error=repr(error))


async def _guarded(work: Callable[[], Awaitable[T]]) -> T:
    """Run a statement. Raises UNAVAILABLE if the database does not answer."""
    with unavailable_while_down("The inbox's database"):
        return await work()


def _columns(entries: Sequence[InboxEntry]) -> list[list[Any]]:
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
