"""Realtime's ports in memory: the inbox, who is who at the hub, the hub itself."""

from dataclasses import dataclass, field
from typing import Any

from runtime.errors import ClarionError, Code
from services.realtime.ports import InboxEntry, PublishOutcome, PublishResult


@dataclass
class MemoryInbox:
    """Implements ports.Inbox. entries: by id, in the order in which they were kept."""

    entries: dict[str, InboxEntry] = field(default_factory=dict)
    away: bool = False

    async def keep(self, entry: InboxEntry) -> None:
        """Keep it, unless its id is there."""
        if self.away:
            raise ClarionError(Code.UNAVAILABLE, "The inbox's database does not answer.")
        self.entries.setdefault(entry.id, entry)


@dataclass
class MemoryDirectory:
    """Implements ports.PrincipalDirectory. epochs: how often the names of a tenant, or of one user, were changed."""

    epochs: dict[tuple[str, str], int] = field(default_factory=dict)
    away: bool = False

    async def principal(self, tenant_id: str, user_id: str) -> str:
        """Return the user's name of today."""
        if self.away:
            raise ClarionError(Code.UNAVAILABLE, "The inbox's database does not answer.")
        epoch = self.epochs.get((tenant_id, ""), 0), self.epochs.get((tenant_id, user_id), 0)
        return f"p-{tenant_id}-{user_id}-{epoch[0]}-{epoch[1]}"

    def revoke(self, tenant_id: str, user_id: str = "") -> None:
        """Change the name of a user, or of all of a tenant's."""
        self.epochs[tenant_id, user_id] = self.epochs.get((tenant_id, user_id), 0) + 1


@dataclass
class MemoryHub:
    """Implements ports.Hub. answer: what it says in place of taking a publication.

    published: by channel. calls: each call's channel, data and key.
    """

    answer: PublishResult = field(default_factory=lambda: PublishResult(PublishOutcome.DONE))
    published: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    _keys: set[tuple[str, str]] = field(default_factory=set)

    async def publish(self, channel: str, data: dict[str, Any], key: str) -> PublishResult:
        """Publish once per key."""
        self.calls.append((channel, data, key))
        if self.answer.outcome is not PublishOutcome.DONE:
            return self.answer
        if not channel or ":" in channel:  # it has no namespaces
            return PublishResult(PublishOutcome.REFUSED, "live_publication_refused")
        if (channel, key) not in self._keys:
            self._keys.add((channel, key))
            self.published.setdefault(channel, []).append(data)
        return self.answer
