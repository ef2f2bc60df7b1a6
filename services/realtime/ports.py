"""What the core needs of the world around it."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """A notification as the inbox keeps it. id: the delivery's. created_at_us: Unix time in microseconds."""

    id: str
    tenant_id: str
    user_id: str
    event_id: str
    event_type: str
    title: str
    body: str
    created_at_us: int


class Inbox(Protocol):
    """Where notifications are kept."""

    async def keep(self, entry: Entry) -> None:
        """Store the entry unless its id is there already. Raises ClarionError when the store is away."""


class Directory(Protocol):
    """Who is who at the hub."""

    async def principal(self, tenant_id: str, user_id: str) -> str:
        """Return the user's name of today. Raises ClarionError when it cannot be known."""


class Outcome(Enum):
    """What became of a publication."""

    DONE = "done"
    # The hub is away, hung, at fault or not trusted at the moment: worth another try.
    AWAY = "away"
    # The hub is there and asks to slow down.
    BUSY = "busy"
    # The hub will never take this one.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Published:
    """The answer to a publication; reason and detail as in services.delivery.ports.Result."""

    outcome: Outcome
    reason: str = ""
    detail: str = ""


class Hub(Protocol):
    """The way to open browsers."""

    async def publish(self, channel: str, data: dict[str, Any], key: str) -> Published:
        """Publish data to the channel, once per key within the hub's memory (five minutes)."""
