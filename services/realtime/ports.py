"""Interfaces that the core of the realtime service uses."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """A notification as the inbox stores it. id: the delivery's id. created_at_us: Unix time in microseconds."""

    id: str
    tenant_id: str
    user_id: str
    event_id: str
    event_type: str
    title: str
    body: str
    created_at_us: int


class Inbox(Protocol):
    """Stores notifications."""

    async def keep(self, entry: InboxEntry) -> None:
        """Store the entry unless its id is already stored. Raises ClarionError if the store is unavailable."""


class PrincipalDirectory(Protocol):
    """Finds the principals of users."""

    async def principal(self, tenant_id: str, user_id: str) -> str:
        """Return the user's current principal. Raises ClarionError if it cannot be read."""


class PublishOutcome(Enum):
    """The result of a publication."""

    DONE = "done"
    # The hub does not answer, failed, or is not known to be safe: try again.
    AWAY = "away"
    # The hub asks to slow down: try again later.
    BUSY = "busy"
    # The hub will never accept this publication.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class PublishResult:
    """The answer to a publication. reason and detail: as in services.delivery.ports.SendResult."""

    outcome: PublishOutcome
    reason: str = ""
    detail: str = ""


class Hub(Protocol):
    """Publishes to connected browsers."""

    async def publish(self, channel: str, data: dict[str, Any], key: str) -> PublishResult:
        """Publish data to a realtime channel, once per key within the time the hub remembers keys (five minutes)."""
