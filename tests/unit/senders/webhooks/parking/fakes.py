"""States and a directory in memory, for what only reports to them."""

from dataclasses import dataclass, field
from typing import Any

from runtime.errors import ClarionError, Code
from services.domain.endpoints import Endpoint
from services.senders.webhooks.parking.breaker import Health, Observation
from services.senders.webhooks.parking.ports import EndpointKey


@dataclass
class NotedStates:
    """Notes what is reported."""

    seen: list[tuple[EndpointKey, Observation]] = field(default_factory=list)
    disabled: list[tuple[EndpointKey, str, int]] = field(default_factory=list)
    is_away: bool = False

    async def observe(self, key: EndpointKey, observation: Observation) -> Health:
        """Note it."""
        if self.is_away:
            raise ClarionError(Code.UNAVAILABLE, "away")
        self.seen.append((key, observation))
        return Health()

    async def disable(self, key: EndpointKey, reason: str, revision: int) -> None:
        """Note it."""
        self.disabled.append((key, reason, revision))


@dataclass
class KnownEndpoints:
    """Implements parking.ports.EndpointDirectory and parking.book.PublishedEndpoints."""

    endpoints: dict[EndpointKey, Endpoint] = field(default_factory=dict)

    def endpoint(self, key: EndpointKey) -> Endpoint | None:
        """As given."""
        return self.endpoints.get(key)

    def known(self, tenant_id: str, endpoint_id: str) -> Any:
        """As given."""
        found = self.endpoints.get(EndpointKey(tenant_id, endpoint_id))
        return _Opened(found) if found is not None else None

    async def exists(self, tenant_id: str, endpoint_id: str) -> bool:
        """As given."""
        return EndpointKey(tenant_id, endpoint_id) in self.endpoints

    async def is_gone(self, key: EndpointKey) -> bool:
        """As given."""
        return key not in self.endpoints

    def resting(self, key: EndpointKey) -> str:
        """None rests."""
        return ""

    def backlog_bound(self, tenant_id: str) -> int:
        """The same for all."""
        return 100


@dataclass
class _Opened:
    endpoint: Endpoint
