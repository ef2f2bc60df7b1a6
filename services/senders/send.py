"""One attempt at one delivery: find the provider, make the message, hand it over."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter, Histogram

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from runtime import logs
from runtime.errors import ClarionError, Code
from runtime.telemetry import labelled
from services import topology
from services.delivery.ports import Result, Verdict
from services.senders import registry
from services.senders.compose import Unsendable
from services.senders.ports import Directory, Provider, ProviderRecord, Resources

_SENDS = Counter("clarion_sends_total", "Calls to providers and their outcome.", ["channel", "provider", "outcome"])
_SECONDS = Histogram(
    "clarion_send_seconds",
    "How long a provider took.",
    ["channel", "provider"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20),
)

log = logs.get(__name__)

OpenSecrets = Callable[[ProviderRecord], dict[str, str]]


@dataclass(frozen=True, slots=True)
class _Opened:
    record: ProviderRecord
    settings: Any
    provider: Provider[Any]


class ProviderSender:
    """The senders' Attempter (see services.delivery.ports).

    open_secrets: returns a provider's secrets; raises ValueError where no key opens them.
    """

    def __init__(self, directory: Directory, resources: Resources, open_secrets: OpenSecrets) -> None:
        self._directory = directory
        self._resources = resources
        self._open_secrets = open_secrets
        # By tenant, then by provider id; as many as are configured.
        self._opened: dict[str, dict[str, _Opened]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def slot(self, delivery: event_pb2.Delivery) -> str:
        """A provider that hangs holds up its own tenant's deliveries, and of those only its own."""
        return f"{delivery.tenant_id}/{delivery.provider_id}"

    async def attempt(self, delivery: event_pb2.Delivery, content: render_pb2.Content) -> Result:
        """Send once. See services.delivery.ports.Attempter."""
        try:
            record = await self._directory.provider(delivery.tenant_id, delivery.provider_id)
        except ClarionError as error:
            return Result(Verdict.TRANSIENT, provider="", reason="configuration_unavailable", detail=error.detail)
        channel = topology.CHANNELS.get(delivery.channel, "")
        if record is None or record.channel != channel.upper():
            return Result(Verdict.PERMANENT, provider="", reason="provider_gone", detail="The provider was deleted.")
        started = time.perf_counter()
        result = await self._send(delivery, content, record)
        labelled(_SENDS, channel, record.kind, result.reason or result.verdict.value).inc()
        labelled(_SECONDS, channel, record.kind).observe(time.perf_counter() - started)
        return result

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

    async def _send(self, delivery: event_pb2.Delivery, content: render_pb2.Content, record: ProviderRecord) -> Result:
        try:
            opened = self._open(delivery, record)
        except ValueError as error:
            return Result(Verdict.TRANSIENT, provider=record.kind, reason="provider_credentials", detail=str(error))
        except ClarionError as error:  # settings that another version took, and this one does not
            return Result(Verdict.TRANSIENT, provider=record.kind, reason="provider_settings", detail=error.detail)
        tenant = self._directory.tenant(delivery.tenant_id)
        try:
            message = registry.composers()[delivery.channel](delivery, content, tenant, opened.settings)
        except Unsendable as error:
            return Result(error.verdict, provider=record.kind, reason=error.reason, detail=error.detail)
        return await opened.provider.send(message)

    def _open(self, delivery: event_pb2.Delivery, record: ProviderRecord) -> _Opened:
        """Return the open provider. Raises ValueError without its secrets, INVALID for its settings."""
        of_tenant = self._opened.setdefault(delivery.tenant_id, {})
        opened = of_tenant.get(record.id)
        if opened is None or (opened.record is not record and opened.record != record):
            if opened is not None:
                self._close(opened)
            opened = self._make(delivery.channel, record)
            of_tenant[record.id] = opened
        return opened

    def _make(self, channel: event_pb2.Channel.ValueType, record: ProviderRecord) -> _Opened:
        kind = registry.kinds().get((channel, record.kind))
        if kind is None:
            raise ClarionError(Code.INVALID, f"This version knows no provider of kind {record.kind}.")
        settings = registry.read_settings(kind, {**record.settings, **self._open_secrets(record)})
        return _Opened(record, settings, kind.open(settings, self._resources))

    def _close(self, opened: _Opened) -> None:
        task = asyncio.create_task(opened.provider.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
