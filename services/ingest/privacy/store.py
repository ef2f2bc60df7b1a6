"""What the ledger stores about a person: exported and erased."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import asyncpg
import msgspec

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ledger_pb2, privacy_pb2
from runtime import postgres
from runtime.configuration import ConfigurationOutbox
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import erasures, retention
from services.domain.pseudonyms import Pseudonyms, unkeyed
from services.ingest.ledger.servicer import summary
from services.ingest.ledger.store import LedgerStore
from services.ingest.ledger.timeline import timeline, to_us
from services.ingest.privacy.ports import Erased

# Less than the caller's deadline, seconds.
_ANNOUNCE_S = 3.0

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))


class LedgerPrivacyStore:
    """Reads and writes. What other services need is published in the transaction of its row."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: ConfigurationOutbox, ledger: LedgerStore, keyed: Pseudonyms
    ) -> None:
        self._keyed = keyed
        self._pool = pool
        self._outbox = outbox
        self._ledger = ledger

    async def policy(self, tenant_id: str) -> retention.RetentionPolicy:
        """Return a tenant's own policy. Raises NOT_FOUND."""
        await self._check_tenant(tenant_id)
        row = await self._pool.fetchrow(_QUERIES.retention, tenant_id)
        return retention.RetentionPolicy(**dict(row)) if row else retention.RetentionPolicy()

    async def set_retention(self, tenant_id: str, policy: retention.RetentionPolicy) -> None:
        """Replace a tenant's policy. Raises NOT_FOUND."""
        await self._check_tenant(tenant_id)
        async with self._pool.acquire() as connection, connection.transaction():
            days = (policy.events_days, policy.payload_days, policy.inbox_days, policy.outbox_days)
            await connection.execute(_QUERIES.set_retention, tenant_id, *days)
            await self._outbox.add(connection, retention.key(tenant_id), msgspec.json.encode(policy))
        await self._outbox.flush()

    async def begin(self, tenant_id: str, user_id: str, at_us: int) -> erasures.Erasure:
        """Begin to erase what was accepted until at_us; moves an erasure of the last week to at_us.

        Raises NOT_FOUND: no such tenant; UNAVAILABLE: workers are not notified yet and may still send. Call it again.
        """
        await self._check_tenant(tenant_id)
        digest = self._keyed.erasure(unkeyed(tenant_id, user_id))
        async with self._pool.acquire() as connection, connection.transaction():
            id_ = await connection.fetchval(_QUERIES.begin_erasure, new_id(), tenant_id, digest, at_us)
            erasure = erasures.Erasure(str(id_), at_us)
            await self._outbox.add(connection, erasures.key(tenant_id, digest), msgspec.json.encode(erasure))
        if not await self._outbox.flush(_ANNOUNCE_S):
            raise ClarionError(Code.UNAVAILABLE, "The erasure could not be published yet; try again.", retry_after=1)
        return erasure

    async def to_erase(self, tenant_id: str, user_id: str, erasure_id: str) -> list[str]:
        """Return up to 100 events that still hold this person's data."""
        at = await self._erased_at(tenant_id, erasure_id)
        rows = await self._pool.fetch(_QUERIES.events_to_erase, tenant_id, user_id, at)
        return [str(row["id"]) for row in rows]

    async def erased_late(self, tenant_id: str, erasure_id: str, after: str) -> list[str]:
        """Return up to 100 erased events of which something was recorded after the erasure."""
        at = await self._erased_at(tenant_id, erasure_id)
        pseudonym = erasures.Erasure(erasure_id, 0).pseudonym
        last = after or str(uuid.UUID(int=0))
        rows = await self._pool.fetch(_QUERIES.events_erased_late, tenant_id, pseudonym, at, last)
        return [str(row["id"]) for row in rows]

    async def erase(self, tenant_id: str, erasure_id: str, event_ids: Sequence[str]) -> Erased:
        """Remove the person from these events, in one transaction."""
        await self._erased_at(tenant_id, erasure_id)
        pseudonym = erasures.Erasure(erasure_id, 0).pseudonym
        ids = list(event_ids)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_QUERIES.lock_events, tenant_id, ids)
            return Erased(
                payloads=_count(await connection.execute(_QUERIES.erase_payloads, tenant_id, ids)),
                attempts=_count(await connection.execute(_QUERIES.erase_attempts, tenant_id, ids)),
                dead_letters=_count(await connection.execute(_QUERIES.erase_dead_letters, tenant_id, ids)),
                events=_count(await connection.execute(_QUERIES.erase_events, tenant_id, ids, pseudonym)),
            )

    async def export(self, tenant_id: str, user_id: str, before: str, limit: int) -> list[privacy_pb2.ExportedEvent]:
        """Return up to limit events of a recipient with everything that is stored about them, newest first."""
        await self._check_tenant(tenant_id)
        rows = await self._ledger.of_recipient(tenant_id, user_id, before or None, limit)
        ids = [str(row["id"]) for row in rows]
        deliveries = await self._ledger.deliveries(ids)
        payloads = {
            str(row["event_id"]): row["event"] for row in await self._pool.fetch(_QUERIES.payloads, tenant_id, ids)
        }
        letters: dict[str, list[ledger_pb2.DeadLetter]] = {}
        for row in await self._pool.fetch(_QUERIES.dead_letters_of_events, tenant_id, ids):
            letters.setdefault(str(row["event_id"]), []).append(_dead_letter(row))
        exported = []
        for id_, row in zip(ids, rows, strict=True):
            of_event = deliveries.get(id_, [])
            one = privacy_pb2.ExportedEvent(
                event=summary(row, of_event),
                steps=timeline(row, of_event, await self._ledger.attempts(id_), await self._ledger.replays(id_)),
                dead_letters=letters.get(id_, []),
            )
            if id_ in payloads:
                one.payload.CopyFrom(event_pb2.Event.FromString(payloads[id_]))
            exported.append(one)
        return exported

    async def _erased_at(self, tenant_id: str, erasure_id: str) -> datetime:
        at: datetime | None = await self._pool.fetchval(_QUERIES.erasure, erasure_id, tenant_id)
        if at is None:
            raise ClarionError(Code.NOT_FOUND, "There is no such erasure.")
        return at

    async def _check_tenant(self, tenant_id: str) -> None:
        if not await self._pool.fetchval(_QUERIES.tenant_exists, tenant_id):
            raise ClarionError(Code.NOT_FOUND, "There is no such tenant.")


def _dead_letter(row: asyncpg.Record) -> ledger_pb2.DeadLetter:
    return ledger_pb2.DeadLetter(
        delivery_id=str(row["delivery_id"]),
        event_id=str(row["event_id"]),
        tenant_id=str(row["tenant_id"]),
        channel=row["channel"],
        reason=row["reason"],
        detail=row["detail"],
        died_at_us=to_us(row["died_at"]),
    )


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])
