"""The providers that are open in this process, by tenant: made when first used, closed when they change."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter, Gauge

from clarion.common.v1 import event_pb2
from runtime import logs
from runtime.errors import ClarionError, Code
from runtime.telemetry import labelled
from services.delivery.ports import SendResult
from services.senders import registry
from services.senders.breaker import Breaker, BreakerPolicy
from services.senders.ports import Provider, ProviderRecord, Resources

_RESTING = Gauge(
    "clarion_providers_resting", "Providers that are left alone for a while, and why.", ["provider", "reason"]
)
_CHANGES = Counter(
    "clarion_breaker_changes_total",
    "How often a provider was left alone (its reason), or taken up again.",
    ["provider", "state"],
)

log = logs.get(__name__)

# Returns a provider's secrets. Raises ValueError where no key opens them.
OpenSecrets = Callable[[ProviderRecord], dict[str, str]]


@dataclass(frozen=True, slots=True)
class OpenProvider:
    """A provider as configured, and whether it is well."""

    record: ProviderRecord
    settings: Any
    provider: Provider[Any]
    reports: bool
    breaker: Breaker


class ProviderCache:
    """As many as are configured and used."""

    def __init__(self, resources: Resources, open_secrets: OpenSecrets, policy: BreakerPolicy) -> None:
        self._resources = resources
        self._open_secrets = open_secrets
        self._policy = policy
        self._opened: dict[str, dict[str, OpenProvider]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def get(self, tenant_id: str, channel: event_pb2.Channel.ValueType, record: ProviderRecord) -> OpenProvider:
        """Return the open provider. Raises ValueError without its secrets, INVALID for its settings."""
        of_tenant = self._opened.setdefault(tenant_id, {})
        opened = of_tenant.get(record.id)
        if opened is None or (opened.record is not record and opened.record != record):
            if opened is not None:
                self._close(opened)
            opened = self._make(channel, record)
            of_tenant[record.id] = opened
        return opened

    def heard(self, tenant_id: str, opened: OpenProvider, begun: int, result: SendResult, now: float) -> None:
        """Tell the provider's breaker, and everybody, how it fared."""
        before = opened.breaker.reason
        opened.breaker.end(begun, result, now)
        after = opened.breaker.reason
        if before == after:
            return
        kind = opened.record.kind
        labelled(_CHANGES, kind, after or "closed").inc()
        self._count(opened, before, -1)
        self._count(opened, after, 1)
        log.warning(
            "provider_rests" if after else "provider_back",
            tenant_id=tenant_id,
            provider=kind,
            provider_id=opened.record.id,
            reason=after or before,
            # Not its words: they may name a recipient. They stand on the timeline of whoever's attempt it was.
            cause=result.reason,
        )

    def forget(self, tenant_id: str) -> None:
        """A tenant's providers have changed: close those that are open; what is under way is finished."""
        for opened in self._opened.pop(tenant_id, {}).values():
            self._close(opened)

    async def close(self) -> None:
        """Close every provider."""
        for tenant_id in list(self._opened):
            self.forget(tenant_id)
        if self._closing:
            await asyncio.wait(set(self._closing))

    def _make(self, channel: event_pb2.Channel.ValueType, record: ProviderRecord) -> OpenProvider:
        kind = registry.kinds().get((channel, record.kind))
        if kind is None:
            raise ClarionError(Code.INVALID, f"This version knows no provider of kind {record.kind}.")
        given = {**record.settings, **self._open_secrets(record)}
        settings = registry.read_settings(kind, registry.cleaned(kind, given))
        provider = kind.open(settings, self._resources)
        return OpenProvider(record, settings, provider, kind.reports, Breaker(self._policy))

    def _close(self, opened: OpenProvider) -> None:
        self._count(opened, opened.breaker.reason, -1)
        opened.breaker.retire()
        task = asyncio.create_task(opened.provider.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    @staticmethod
    def _count(opened: OpenProvider, reason: str, change: int) -> None:
        if reason:
            _RESTING.labels(opened.record.kind, reason).inc(change)
