"""What the senders store of a recipient's events: exported, erased, and deleted when it expires."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import asyncpg

from clarion.senders.v1 import senders_pb2
from runtime import logs, postgres
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services.domain.retention import EXPIRED, RetentionPolicies
from services.senders.contents.store import erase as erase_contents
from services.senders.contents.store import expire as expire_contents
from services.senders.outbox import is_message_id, whole_message

# Rows of one statement; seconds between two rounds, and between two statements of a round.
BATCH = 1000
INTERVAL_S = 600.0
PAUSE_S = 0.2
# Bytes of texts in one response.
_MAX_BYTES = 4 * 1024 * 1024

_SQL = postgres.Queries(Path(__file__).with_name("privacy.sql"))

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Scope:
    """Of whose messages: those of a tenant's events, or only of some deliveries of them. Empty delivery_ids: of all.

    An event may have many recipients, so one person's messages are named by their deliveries.
    """

    tenant_id: str
    event_ids: Sequence[str]
    delivery_ids: Sequence[str] = ()


class Erased(NamedTuple):
    """How many rows were deleted: sandbox messages, notes of what providers took, contents of attempts."""

    messages: int
    provider_records: int
    contents: int


class SendersPrivacyStore:
    """Exports and deletes rows of senders.outbox, senders.sent and senders.contents by their events and deliveries."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def erase(self, scope: Scope) -> Erased:
        """Delete, in one transaction. Raises UNAVAILABLE."""
        ids = scope.tenant_id, scope.event_ids, scope.delivery_ids
        with postgres.unavailable_while_down():
            async with self._pool.acquire() as connection, connection.transaction():
                messages = await connection.execute(_SQL.erase_messages, *ids)
                notes = await connection.execute(_SQL.erase_sent, *ids)
                contents = await erase_contents(connection, *ids) if is_uuid(scope.tenant_id) else 0
        return Erased(_count(messages), _count(notes), contents)

    async def page(self, scope: Scope, after: str) -> tuple[list[senders_pb2.OutboxMessage], str]:
        """Return messages, oldest first, and the next cursor; empty: there are no more. Raises INVALID, UNAVAILABLE."""
        if after and not is_message_id(after):
            raise ClarionError(
                Code.INVALID,
                "after must be a cursor of the previous page",
                fields=[("after", "must be a cursor of the previous page")],
            )
        ids = scope.tenant_id, scope.event_ids, scope.delivery_ids
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.export_messages, *ids, int(after or 0), _MAX_BYTES)
            last = rows[-1]["id"] if rows else 0
            more = bool(rows) and await self._pool.fetchval(_SQL.are_more, *ids, last)
        return [whole_message(row) for row in rows], str(last) if more else ""

    async def expire(self, default_hours: int, own_days: dict[str, int]) -> bool:
        """Delete one batch of expired sandbox messages; return whether there may be more."""
        async with postgres.background_transaction(self._pool) as connection:
            status = await connection.execute(
                _SQL.expire_outbox, default_hours, list(own_days), list(own_days.values()), BATCH
            )
        EXPIRED.labels("outbox").inc(_count(status))
        return _count(status) == BATCH

    async def expire_contents(self, default_days: int, own_days: dict[str, int]) -> bool:
        """Delete one batch of expired contents; return whether there may be more. 0 days: all of them."""
        async with postgres.background_transaction(self._pool) as connection:
            deleted = await expire_contents(connection, default_days, own_days, BATCH)
        EXPIRED.labels("contents").inc(deleted)
        return deleted == BATCH

    async def keep_expiring(self, default_hours: int, content_days: int, policies: RetentionPolicies) -> None:
        """Delete expired messages and contents every few minutes, for ever. content_days: 0: no content is stored."""
        while True:
            pause = INTERVAL_S * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
            try:
                own = policies.own_content_days() if content_days else {}
                more = await self.expire(default_hours, policies.outbox_days())
                if await self.expire_contents(content_days, own) or more:
                    pause = PAUSE_S
            except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                log.warning("retention_waits", error=repr(error))
            await asyncio.sleep(pause)


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])
