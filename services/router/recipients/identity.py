"""Finds out who the contacts of events are, and stores what is new of them."""

import asyncio
from collections.abc import Sequence

from prometheus_client import Counter

from clarion.common.v1 import event_pb2
from runtime import logs
from runtime.batching import Batcher, BatchLimits
from runtime.errors import ClarionError
from runtime.ids import is_uuid
from services.router.ports import Identified
from services.router.recipients.contacts import NamedContact
from services.router.recipients.decisions import Decision
from services.router.recipients.row import RecipientRow
from services.router.recipients.store import Pool
from services.router.recipients.writing import RecipientWriter

# Contacts that one query looks for, and tenants whose contacts are stored at a time.
_MAX_ASKED = 500
_WRITES = 2

_CONTACTS = Counter("clarion_contacts_total", "Contacts of events, by what became of them.", ["outcome"])

log = logs.get(__name__)


class Identities:
    """services.router.ports.Contacts. Events that are planned at the same time share queries."""

    def __init__(self, pool: Pool) -> None:
        self._writer = RecipientWriter(pool)
        limits = BatchLimits(items=_MAX_ASKED)
        self._batcher: Batcher[tuple[str, NamedContact], Identified] = Batcher(self._resolve, limits)
        self._writing = asyncio.Semaphore(_WRITES)

    async def resolve(self, wanted: Sequence[tuple[str, event_pb2.Contact]]) -> Sequence[Identified]:
        """See Contacts."""
        named = [(tenant_id, NamedContact(contact.recipient)) for tenant_id, contact in wanted]
        return await asyncio.gather(*map(self._batcher.submit, named))

    async def look_up(self, tenant_id: str, contact: event_pb2.Contact) -> Identified:
        """Return who a contact is, as they would be once resolve() had stored what is new; stores nothing.

        Who is new has the id that was given, or another one each time.
        """
        named = NamedContact(contact.recipient)
        (known,) = await self._writer.look_up([(tenant_id, named.names)])
        decision = named.decide(known)
        if decision.wanted is None:
            return named.identified(decision.current, decision, is_new=False)
        row = RecipientRow("", decision.wanted, decision.is_unique, 0, 0)
        return named.identified(row, decision, is_new=decision.current is None)

    async def _resolve(self, batch: Sequence[tuple[str, NamedContact]]) -> Sequence[Identified | BaseException]:
        results: dict[int, Identified | BaseException] = {}
        left: dict[str, list[tuple[int, NamedContact]]] = {}
        known = await self._writer.look_up(
            [(tenant_id if is_uuid(tenant_id) else _NO_TENANT, contact.names) for tenant_id, contact in batch]
        )
        for position, ((tenant_id, contact), found) in enumerate(zip(batch, known, strict=True)):
            decision = contact.decide(found)
            if decision.wanted is None or not is_uuid(tenant_id):  # nearly always: nothing of them is new
                results[position] = _identified(contact, decision)
            else:
                left.setdefault(tenant_id, []).append((position, contact))
        await asyncio.gather(*[self._save(tenant_id, some, results) for tenant_id, some in left.items()])
        return [results[position] for position in range(len(batch))]

    async def _save(
        self,
        tenant_id: str,
        wanted: Sequence[tuple[int, NamedContact]],
        results: dict[int, Identified | BaseException],
    ) -> None:
        """Store contacts of one tenant; whoever else is stored at the same time is found then."""
        try:
            async with self._writing:
                saved = await self._writer.save(tenant_id, [contact for _, contact in wanted])
        except ClarionError as error:
            results.update(dict.fromkeys([position for position, _ in wanted], error))
            return
        for (position, contact), one in zip(wanted, saved, strict=True):
            if one.decision.error is not None:
                log.warning("contact_not_stored", tenant_id=tenant_id, error=one.decision.error.detail)
            _CONTACTS.labels("stored" if one.is_new else "changed" if one.row else "unknown").inc()
            for conflict in one.decision.conflicts:
                log.info("contact_conflicts", tenant_id=tenant_id, identifier=conflict.identifier)
            results[position] = contact.identified(one.row, one.decision, is_new=one.is_new)


def _identified(contact: NamedContact, decision: Decision) -> Identified:
    _CONTACTS.labels("found" if decision.current else "unknown").inc()
    return contact.identified(decision.current, decision, is_new=False)


# Of whom nobody is stored: what stands for a tenant's id that is none.
_NO_TENANT = "00000000-0000-0000-0000-000000000000"
