"""The providers that are open in this process, by tenant: opened when first used, closed when they change."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from prometheus_client import Counter, Gauge

from clarion.common.v1 import event_pb2
from runtime import logs
from runtime.errors import ClarionError, Code
from runtime.telemetry import labelled
from services.delivery.ports import SendResult
from services.senders import provider_settings, registry
from services.senders.breaker import Breaker, BreakerPolicy
from services.senders.health.ports import HealthObserver
from services.senders.ports import Provider, ProviderRecord, Resources

_RESTING = Gauge("clarion_providers_resting", "Providers that are paused, and why.", ["provider", "reason"])
_CHANGES = Counter(
    "clarion_breaker_changes_total",
    "Times that a provider was paused (its reason), or resumed (closed).",
    ["provider", "state"],
)

log = logs.get(__name__)

# Returns a provider's secrets. Raises ValueError if no key decrypts them.
OpenSecrets = Callable[[ProviderRecord], dict[str, str]]


@dataclass(frozen=True, slots=True)
class OpenProvider:
    """A provider as configured, with its breaker. reports: it sends delivery reports later."""

    record: ProviderRecord
    settings: Any
    provider: Provider[Any]
    reports: bool
    breaker: Breaker


class OutageWatch(Protocol):
    """Is told how calls ended; see services.senders.alerts.watch."""

    def observe(self, tenant_id: str, record: ProviderRecord, reason: str, result: SendResult) -> None:
        """Take note of a call. reason: why the provider is paused now; empty: it is not."""


class ProviderCache:
    """Opens providers, and keeps them until their configuration changes."""

    def __init__(
        self,
        resources: Resources,
        open_secrets: OpenSecrets,
        policy: BreakerPolicy,
        observer: HealthObserver | None = None,
        watch: OutageWatch | None = None,
    ) -> None:
        self._watch = watch
        self._resources = resources
        self._open_secrets = open_secrets
        self._policy = policy
        self._observer = observer
        self._opened: dict[str, dict[str, OpenProvider]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def get(self, tenant_id: str, channel: event_pb2.Channel.ValueType, record: ProviderRecord) -> OpenProvider:
        """Return the open provider. Raises ValueError if no key decrypts its secrets, INVALID for its settings."""
        of_tenant = self._opened.setdefault(tenant_id, {})
        opened = of_tenant.get(record.id)
        if opened is None or (opened.record is not record and opened.record != record):
            if opened is not None:
                self._close(opened)
            opened = self._make(channel, record)
            of_tenant[record.id] = opened
        return opened

    def record_result(self, tenant_id: str, opened: OpenProvider, call: int, result: SendResult, now: float) -> None:
        """Tell the provider's breaker how a call ended; log and count it where that changes the breaker's state."""
        before, changes = opened.breaker.reason, opened.breaker.changes
        opened.breaker.end_call(call, result, now)
        after = opened.breaker.reason
        if opened.breaker.changes != changes:
            self._observe(tenant_id, opened, now)
        if self._watch is not None:
            self._watch.observe(tenant_id, opened.record, after, result)
        if before == after:
            return
        kind = opened.record.kind
        labelled(_CHANGES, kind, after or "closed").inc()
        self._count(opened, before, -1)
        self._count(opened, after, 1)
        log.warning(
            "provider_paused" if after else "provider_resumed",
            tenant_id=tenant_id,
            provider=kind,
            provider_id=opened.record.id,
            reason=after or before,
            # Not the detail: it may name a recipient. It is on the timeline of the attempt's event.
            cause=result.reason,
        )

    def forget(self, tenant_id: str) -> None:
        """Close a tenant's providers, because they have changed. Calls under way are finished."""
        for opened in self._opened.pop(tenant_id, {}).values():
            self._close(opened)

    async def close(self) -> None:
        """Close every provider."""
        for tenant_id in list(self._opened):
            self.forget(tenant_id)
        if self._closing:
            await asyncio.wait(set(self._closing))

    def _make(self, channel: event_pb2.Channel.ValueType, record: ProviderRecord) -> OpenProvider:
        try:
            kind = registry.kind(channel, record.kind)
        except KeyError as error:
            detail = f"This version of Clarion has no provider of kind {record.kind}."
            raise ClarionError(Code.INVALID, detail) from error
        given = {**record.settings, **self._open_secrets(record)}
        settings = provider_settings.read_settings(kind, provider_settings.cleaned(kind, given))
        provider = kind.open(settings, self._resources)
        return OpenProvider(record, settings, provider, kind.reports, Breaker(self._policy))

    def _observe(self, tenant_id: str, opened: OpenProvider, now: float) -> None:
        if self._observer is None:
            return
        provider_id, pause = opened.record.id, opened.breaker.pause(now)
        if pause is None:
            self._observer.resumed(provider_id)
        else:
            self._observer.paused(tenant_id, provider_id, pause.reason, pause.wait_s)

    def _close(self, opened: OpenProvider) -> None:
        if self._observer is not None:
            self._observer.resumed(opened.record.id)
        self._count(opened, opened.breaker.reason, -1)
        opened.breaker.retire()
        task = asyncio.create_task(opened.provider.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    @staticmethod
    def _count(opened: OpenProvider, reason: str, change: int) -> None:
        if reason:
            _RESTING.labels(opened.record.kind, reason).inc(change)
