"""What is known of how providers are doing, and what storing it needs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from services.delivery.ports import SendResult


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    """A circuit breaker of one process that is not closed. Times are Unix microseconds.

    reason: why; a word of services.domain.reasons. since_us: when it left "closed". next_try_us: when the pause ends.
    """

    provider_id: str
    tenant_id: str
    reason: str
    since_us: int
    next_try_us: int


class Counts(NamedTuple):
    """Calls to a provider. failures: because of the provider or its account. refusals: because of the message."""

    calls: int = 0
    failures: int = 0
    refusals: int = 0


NOTHING_COUNTED = Counts()


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that failed because of the provider or its account. detail: without addresses and numbers."""

    at_us: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Health:
    """What is stored of one provider. breakers: of all processes that run. last_call_us: 0 if there was none."""

    breakers: Sequence[OpenBreaker] = ()
    last_failure: Failure | None = None
    last_hour: Counts = NOTHING_COUNTED
    last_call_us: int = 0


class HealthObserver(Protocol):
    """Is told what happens to the providers of this process. It answers at once and never fails."""

    def called(self, provider_id: str, result: SendResult) -> None:
        """Note the result of a call."""

    def paused(self, tenant_id: str, provider_id: str, reason: str, pause_s: float) -> None:
        """Note that a provider is not called for pause_s seconds."""

    def resumed(self, provider_id: str) -> None:
        """Note that a provider is called again."""


class HealthStore(Protocol):
    """Stores what the observers of all processes note. Each method raises UNAVAILABLE."""

    async def write_breakers(self, process_id: str, paused: Sequence[OpenBreaker], resumed: Collection[str]) -> None:
        """Store breakers of a process that are not closed, and delete those of the providers that resumed."""

    async def write_failures(self, failures: Mapping[str, Failure]) -> None:
        """Store the last failures, by provider; a later one that is stored stays."""

    async def write_calls(self, step_us: int, counts: Mapping[str, Counts]) -> None:
        """Add calls to those of a step, by provider."""

    async def end_process(self, process_id: str) -> None:
        """Delete all breakers of a process."""

    async def delete_expired(self) -> None:
        """Delete what is too old, and the breakers of processes that have ended."""

    async def read(self, provider_ids: Sequence[str]) -> Mapping[str, Health]:
        """Return what is stored of providers, by id; of others nothing."""


class ProviderTestLimit(Protocol):
    """Bounds how many test messages a tenant sends."""

    async def take(self, tenant_id: str, provider_id: str) -> None:
        """Count one. Raises LIMITED, UNAVAILABLE."""
