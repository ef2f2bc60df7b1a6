"""Notices that providers go down and recover, and has it stored. While all is well this costs nothing."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from runtime import clock, logs
from runtime.errors import ClarionError
from runtime.masking import masked
from services.delivery.ports import SendResult, Verdict
from services.domain.channels import BY_PUBLIC_NAME
from services.domain.reasons import Reason
from services.senders.alerts.outages import Kind, Outage
from services.senders.breaker import TROUBLE
from services.senders.ports import ProviderRecord

# Reasons for which a provider is paused that pass by themselves.
_PASSING = frozenset({Reason.PROVIDER_THROTTLED, Reason.PROVIDER_BUSY})
_MAX_DETAIL = 300
_RETRY_S = 5.0
# Changes that wait while PostgreSQL is away. Beyond it the next failure is stored in place of this one.
_MAX_WAITING = 10_000

log = logs.get(__name__)


class Outages(Protocol):
    """Where outages are stored. Each method raises UNAVAILABLE."""

    async def begin(self, outage: Outage) -> None:
        """Store an outage, or that one that goes on was seen again."""

    async def end(self, kind: Kind, object_id: str, at_us: int) -> None:
        """Store that the outage of an object has ended, if there is one."""


@dataclass(frozen=True, slots=True)
class _Change:
    """outage: None: it has ended."""

    outage: Outage | None
    at_us: int


class ProviderWatch:
    """Is told of the calls of one process that change a provider's breaker, or that find one down or well again."""

    def __init__(self, store: Outages, *, now: clock.Clock = clock.now_us) -> None:
        self._store = store
        self._now = now
        # Providers that this process has seen fail, and those whose failures nobody sees any more.
        self._down: set[str] = set()
        self._waiting: dict[str, _Change] = {}
        self._wake = asyncio.Event()

    def expect(self, provider_ids: set[str]) -> None:
        """Take note of providers that are down for all that is known: their next success is stored."""
        self._down |= provider_ids

    def observe(self, tenant_id: str, record: ProviderRecord, reason: str, result: SendResult) -> None:
        """Take note of a call. reason: why the provider is paused now; empty: it is not."""
        if not reason:
            if record.id in self._down and not is_trouble(result):
                self._down.discard(record.id)
                self._put(record.id, _Change(None, self._now()))
            return
        if reason in _PASSING or not is_trouble(result):
            return
        self._down.add(record.id)
        detail = masked(result.detail, _MAX_DETAIL)
        # The circuit is open because of this answer, and its reason says more.
        why = result.reason or reason
        now = self._now()
        outage = Outage(
            "",
            Kind.PROVIDER,
            tenant_id,
            record.id,
            BY_PUBLIC_NAME.get(record.channel, 0),
            record.kind,
            why,
            detail,
            now,
        )
        self._put(record.id, _Change(outage, now))

    async def run(self) -> None:
        """Store what was noticed, until canceled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.store_all()

    async def store_all(self) -> None:
        """Store what waits; return when it is stored."""
        while self._waiting:
            provider_id, change = next(iter(self._waiting.items()))
            try:
                if change.outage is not None:
                    await self._store.begin(change.outage)
                else:
                    await self._store.end(Kind.PROVIDER, provider_id, change.at_us)
            except ClarionError as error:
                log.warning("outage_not_stored", provider_id=provider_id, error=error.detail)
                await asyncio.sleep(_RETRY_S)
                continue
            if self._waiting.get(provider_id) is change:
                del self._waiting[provider_id]

    def _put(self, provider_id: str, change: _Change) -> None:
        if provider_id not in self._waiting and len(self._waiting) >= _MAX_WAITING:
            return
        self._waiting[provider_id] = change
        self._wake.set()


def is_trouble(result: SendResult) -> bool:
    """Return whether a result says that the provider, or the tenant's account there, is in trouble."""
    return result.verdict is Verdict.CREDENTIALS or result.reason in TROUBLE
