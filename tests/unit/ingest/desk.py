"""An acceptor on admission, event log and settings in memory, for the tests of accepting."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime.encryption import Vault
from runtime.errors import ClarionError
from runtime.ids import new_id
from services.ingest.accept import Accepted, Acceptor
from services.ingest.deduplication import caller_key
from services.ingest.endpoints.directory import EndpointDirectory
from services.ingest.fingerprint import Fingerprints
from services.ingest.intake import event_of
from services.ingest.ports import First
from services.ingest.workflows.directory import WorkflowDirectory
from tests.fakes.configuration import MemoryWatch
from tests.fakes.ingest import MemoryAdmission, MemoryEndpointOwner, MemoryEventLog, MemoryTenants, Row
from tests.unit.senders.builders import encryption_key

TENANT = new_id()
FINGERPRINTS = Fingerprints([b"k" * 32])
MARKER = "complete.router"
OURS, OTHER = "our.type", "other.type"


@dataclass
class Desk:
    """An acceptor and what it works with."""

    tenants: MemoryTenants = field(default_factory=MemoryTenants)
    log: MemoryEventLog = field(default_factory=MemoryEventLog)
    # What is published of endpoints and workflows.
    copy: MemoryWatch = field(default_factory=MemoryWatch)
    ticks: Any = field(default_factory=lambda: itertools.count(1_000_000))

    def __post_init__(self) -> None:
        self.admission = MemoryAdmission(self.tenants.cached_or_default)
        self.acceptor = self.another()

    def another(self) -> Acceptor:
        """Return another process's acceptor over the same database and broker."""
        endpoints = EndpointDirectory(self.copy, MemoryEndpointOwner(), Vault(encryption_key()), marker=MARKER)
        workflows = WorkflowDirectory(self.copy, marker=MARKER)
        return Acceptor(
            self.admission,
            self.log,
            self.tenants,
            FINGERPRINTS,
            endpoints,
            workflows,
            now=lambda: next(self.ticks),
        )

    async def accept(self, new: ingest_pb2.NewEvent, tenant_id: str = TENANT) -> Accepted:
        """Accept an event."""
        return await self.acceptor.accept(tenant_id, new)

    async def refused(self, new: ingest_pb2.NewEvent) -> ClarionError:
        """Return why an event is not accepted."""
        with pytest.raises(ClarionError) as refused:
            await self.accept(new)
        return refused.value

    def claim(self, event_type: str, *, keeps_body: bool = True) -> str:
        """Let another process have claimed the key for a body of this type; return the event's id."""
        event_id = new_id()
        first = first_of(event_type) if keeps_body else None
        self.admission.rows[TENANT, KEY] = row(event_id, first)
        return event_id

    async def append(self, event_type: str, event_id: str = "") -> str:
        """Let another process have stored a body of this type under the key; return the event's id."""
        new = call(event_type)
        stored = event_pb2.Event(
            id=event_id or new_id(),
            tenant_id=TENANT,
            event_type=event_type,
            recipient=new.recipient,
            dedupe_key=KEY,
        )
        await self.log.append(stored)
        return stored.id

    def row_of(self, key: bytes) -> Row:
        """Return the key's row."""
        return self.admission.rows[TENANT, key]


def call(event_type: str = OURS, key: str = "k", **fields: Any) -> ingest_pb2.NewEvent:
    """Return an event of a caller. key: its idempotency key."""
    recipient = event_pb2.Recipient(user_id="u")
    return ingest_pb2.NewEvent(event_type=event_type, recipient=recipient, idempotency_key=key, **fields)


def first_of(event_type: str) -> First:
    """Return what is stored of a call of this type, for its repeats."""
    return FINGERPRINTS.first(event_of(TENANT, call(event_type)))


def row(event_id: str, first: First | None) -> Row:
    """Return the row of a key."""
    return Row(event_id, first)


KEY = caller_key(TENANT, "k")
