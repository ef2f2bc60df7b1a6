"""The ports of webhooks in memory: the router, which stores endpoints."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from runtime.errors import ClarionError, Code

_AWAY = ClarionError(Code.UNAVAILABLE, "A part of the service does not answer.", retry_after=1)


@dataclass
class MemoryEndpointOwner:
    """Implements services.senders.webhooks.ports.EndpointOwner.

    endpoints: pairs of tenant and endpoint. asked: all questions. on_question: called before each answer.
    """

    endpoints: set[tuple[str, str]] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    away: bool = False
    on_question: Callable[[], Awaitable[None]] | None = None

    async def exists(self, tenant_id: str, endpoint_id: str) -> bool:
        """Return whether the tenant has it."""
        self.asked.append((tenant_id, endpoint_id))
        if self.away:
            raise _AWAY
        if self.on_question is not None:
            await self.on_question()
        return (tenant_id, endpoint_id) in self.endpoints
