"""What accepting needs from the outside."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from clarion.common.v1 import event_pb2


class Verdict(Enum):
    """What admission says of an event."""

    NEW = "new"
    # The key is known; its event may not have reached EVENTS: publish it again under event_id.
    PENDING = "pending"
    # The key is known, and its event is stored.
    STORED = "stored"
    # The tenant has too much unfinished.
    LIMITED = "limited"


@dataclass(frozen=True, slots=True)
class Admitted:
    """Admission's answer. event_id: the first event's, where this one is a duplicate."""

    event_id: str
    verdict: Verdict


class Admission(Protocol):
    """Duplicates and limits, exact over any number of ingest processes."""

    async def admit(self, tenant_id: str, key_hash: bytes, event_id: str) -> Admitted:
        """Claim the key for this event. Never raises for want of a database: then it is NEW, or LIMITED."""

    async def correct(self, tenant_id: str, key_hash: bytes, claimed: str, first: str) -> None:
        """Take note that the key, claimed for one event, had been another's, which is stored. Never raises."""


@dataclass(frozen=True, slots=True)
class Appended:
    """The event log's answer: the id under which the event is stored."""

    event_id: str
    duplicate: bool


class EventLog(Protocol):
    """EVENTS."""

    async def append(self, event: event_pb2.Event) -> Appended:
        """Return when the event is on disk. Raises UNAVAILABLE or OVERLOADED."""
