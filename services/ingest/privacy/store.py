"""What the ledger stores about a person: exported and erased."""

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ledger_pb2, privacy_pb2
from runtime import postgres
from runtime.configuration import ConfigurationOutbox
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import audience, erasures, retention
from services.domain.pseudonyms import Pseudonyms, unkeyed
from services.ingest.ledger.reader import KnownEvent, LedgerReader
from services.ingest.ledger.recipients import recipient_ids_of, remove_people, user_ids_of
from services.ingest.ledger.summaries import dead_letter, event_summary, recipient
from services.ingest.ledger.timeline import timeline
from services.ingest.privacy.ports import Erased, ErasurePage

# Less than the caller's deadline, seconds.
_ANNOUNCE_S = 3.0
# Of one person, in one page of an erasure.
MAX_DELIVERIES = 1000
# Rows without a user id that one call gives a person.
MAX_ADOPTED = 2000

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))


class LedgerPrivacyStore:
    """Reads and writes. What other services need is published in the transaction of its row."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: ConfigurationOutbox, ledger: LedgerReader, keyed: Pseudonyms
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
            await connection.execute(_QUERIES.set_retention, tenant_id, *msgspec.structs.astuple(policy))
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
            # Of events of others, too: there may be none of theirs.
            await connection.execute(_QUERIES.erase_conflicts, tenant_id, [], [user_id])
        if not await self._outbox.flush(_ANNOUNCE_S):
            raise ClarionError(Code.UNAVAILABLE, "The erasure could not be published yet; try again.", retry_after=1)
        return erasure

    async def adopt(self, tenant_id: str, user_id: str, erasure: erasures.Erasure, addresses: Sequence[str]) -> bool:
        """Give a person what was sent to their addresses without a user id until the erasure.

        Return whether there is more.

        So it is found, and erased, as theirs, even if the caller knows the addresses no more when it goes on.
        """
        status = await self._pool.execute(_QUERIES.adopt, tenant_id, addresses, erasure.at_us, user_id, MAX_ADOPTED)
        return _count(status) == MAX_ADOPTED

    async def to_erase(self, tenant_id: str, user_id: str, erasure_id: str, *, shared: bool) -> ErasurePage:
        """Return up to 100 events that still hold this person's data. shared: also those with other recipients."""
        at = await self._erased_at(tenant_id, erasure_id)
        rows = await self._pool.fetch(_QUERIES.events_to_erase, tenant_id, user_id, at, shared)
        return await self._page(rows, user_id)

    async def erased_late(self, tenant_id: str, erasure_id: str, after: str, *, shared: bool) -> ErasurePage:
        """Return up to 100 erased events of which something was recorded after the erasure. shared: see to_erase()."""
        at = await self._erased_at(tenant_id, erasure_id)
        pseudonym = erasures.Erasure(erasure_id, 0).pseudonym
        last = after or str(uuid.UUID(int=0))
        rows = await self._pool.fetch(_QUERIES.events_erased_late, tenant_id, pseudonym, at, last, shared)
        return await self._page(rows, pseudonym)

    async def _page(self, rows: Sequence[asyncpg.Record], person: str) -> ErasurePage:
        shared = [str(row["id"]) for row in rows if row["is_shared"]]
        theirs = await self._pool.fetch(_QUERIES.deliveries_of_person, shared, [person], MAX_DELIVERIES + 1)
        events = [str(row["id"]) for row in rows]
        if len(theirs) > MAX_DELIVERIES:  # the rest is for the next page
            cut = str(theirs[-1]["event_id"])
            events = [id_ for id_ in events if id_ < cut] or events[:1]
            theirs = [row for row in theirs[:-1] if str(row["event_id"]) in events]
        return ErasurePage(events, [id_ for id_ in shared if id_ in events], [str(row["id"]) for row in theirs])

    async def erase(self, tenant_id: str, user_id: str, erasure_id: str, event_ids: Sequence[str]) -> Erased:
        """Remove the person from these events, in one transaction.

        What belongs to other recipients stays. user_id: empty: the person is the events' only recipient.
        """
        await self._erased_at(tenant_id, erasure_id)
        pseudonym = erasures.Erasure(erasure_id, 0).pseudonym
        people = [pseudonym, user_id] if user_id else [pseudonym]
        if user_id:  # by itself: a replay holds the lock of its row while it sends a page
            await self._pool.execute(_QUERIES.erase_positions, tenant_id, audience.of_user(user_id))
        async with self._pool.acquire() as connection, connection.transaction():
            found = await connection.fetch(_QUERIES.lock_events, tenant_id, list(event_ids))
            alone = [row["id"] for row in found if not row["is_shared"]]
            shared = [row["id"] for row in found if row["is_shared"]]
            theirs = [row["id"] for row in await connection.fetch(_QUERIES.deliveries_of_person, shared, people, None)]
            payloads = _count(await connection.execute(_QUERIES.erase_payloads, tenant_id, alone))
            found_by = [row["value"] for row in await connection.fetch(_QUERIES.addresses_of_person, shared, people)]
            emptied = []
            for event_id in shared:
                changed, is_empty = await _rewrite(connection, tenant_id, event_id, people, found_by)
                payloads += changed
                emptied += [event_id] if is_empty else []
            attempts = await connection.execute(_QUERIES.erase_attempts, alone, shared, theirs)
            letters = await connection.execute(_QUERIES.erase_dead_letters, tenant_id, alone, shared, theirs)
            await connection.execute(_QUERIES.erase_events, tenant_id, alone + emptied, pseudonym)
            await connection.execute(_QUERIES.erase_recipients, alone, shared, people, pseudonym)
            destinations = [pseudonym, *([audience.of_user(user_id)] if user_id else [])]
            await connection.execute(_QUERIES.erase_workflow_steps, alone, shared, destinations, pseudonym)
            await connection.execute(_QUERIES.erase_conflicts, tenant_id, alone + shared, people)
        return Erased(events=len(found), payloads=payloads, attempts=_count(attempts), dead_letters=_count(letters))

    async def export(self, tenant_id: str, user_id: str, before: str, limit: int) -> list[privacy_pb2.ExportedEvent]:
        """Return up to limit events of a recipient with everything that is stored about them, newest first."""
        await self._check_tenant(tenant_id)
        ids = await self._ledger.of_recipient(tenant_id, user_id, before or None, limit)
        events = await self._ledger.events(ids, MAX_DELIVERIES, of_shared=False)
        alone = [event.id for event in events if not event.row["is_shared"]]
        shared = [event.id for event in events if event.row["is_shared"]]
        theirs: dict[str, list[asyncpg.Record]] = {}
        for event_id in shared:
            theirs[event_id] = await self._ledger.of_person(event_id, user_id)
        letters: dict[str, list[ledger_pb2.DeadLetter]] = {}
        deliveries = [row["id"] for rows in theirs.values() for row in rows]
        for row in await self._pool.fetch(_QUERIES.dead_letters_of_events, tenant_id, alone, shared, deliveries):
            letters.setdefault(str(row["event_id"]), []).append(dead_letter(row))
        payloads = {
            str(row["event_id"]): row["event"] for row in await self._pool.fetch(_QUERIES.payloads, tenant_id, ids)
        }
        return [
            await self._exported(event, user_id, theirs.get(event.id), letters, payloads.get(event.id))
            for event in events
        ]

    async def _exported(
        self,
        event: KnownEvent,
        user_id: str,
        theirs: "list[asyncpg.Record] | None",
        letters: dict[str, list[ledger_pb2.DeadLetter]],
        payload: bytes | None,
    ) -> privacy_pb2.ExportedEvent:
        """Return one event; theirs: the person's deliveries if it has other recipients, too."""
        deliveries = event.deliveries if theirs is None else theirs
        only = None if theirs is None else [row["id"] for row in theirs]
        person = None if theirs is None else [audience.of_user(user_id)]
        counts = event.counts if theirs is None else Counter(row["status"] for row in theirs)
        one = privacy_pb2.ExportedEvent(
            event=event_summary(event.row, deliveries, counts),
            steps=timeline(
                event.row,
                deliveries,
                await self._ledger.attempts(event.id, only, answers=True),
                await self._ledger.replays(event.id),
                await self._ledger.workflow_steps(event.id, people=person) if event.row["has_workflows"] else (),
                await self._ledger.conflicts(event.id, user_id),
            ),
            dead_letters=letters.get(event.id, []),
            shared=theirs is not None,
        )
        if payload is not None:
            one.payload.CopyFrom(event_pb2.Event.FromString(payload))
        if theirs:
            one.event.recipient.CopyFrom(recipient(theirs[0]) or event_pb2.Recipient())
        if theirs is not None:
            remove_people(one.payload, user_ids_of(one.payload) - {user_id}, nameless=True)
            if not theirs and user_id not in recipient_ids_of(one.payload):  # only excluded: the body is not for them
                one.payload.ClearField("variables")
                one.payload.ClearField("payload_extra")
        return one

    async def _erased_at(self, tenant_id: str, erasure_id: str) -> datetime:
        at: datetime | None = await self._pool.fetchval(_QUERIES.erasure, erasure_id, tenant_id)
        if at is None:
            raise ClarionError(Code.NOT_FOUND, "There is no such erasure.")
        return at

    async def _check_tenant(self, tenant_id: str) -> None:
        if not await self._pool.fetchval(_QUERIES.tenant_exists, tenant_id):
            raise ClarionError(Code.NOT_FOUND, "There is no such tenant.")


async def _rewrite(
    connection: Any, tenant_id: str, event_id: uuid.UUID, user_ids: Sequence[str], addresses: Sequence[str]
) -> tuple[int, bool]:
    """Remove people from a stored event; return the number of changed payloads, and whether nobody else is left."""
    raw = await connection.fetchval(_QUERIES.payload_for_update, tenant_id, event_id)
    if raw is None:
        return 0, False
    event = event_pb2.Event.FromString(raw)
    if not remove_people(event, user_ids, addresses=addresses):
        return _count(await connection.execute(_QUERIES.erase_payloads, tenant_id, [event_id])), True
    changed = event.SerializeToString()
    if changed == raw:  # a member of a group
        return 0, False
    return _count(await connection.execute(_QUERIES.replace_payload, tenant_id, event_id, changed)), False


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])
