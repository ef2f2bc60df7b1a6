"""Sends one test message through one provider, whether it is paused or not, and says what came of it."""

import asyncio
import html
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from runtime import telemetry
from runtime.errors import ClarionError, Code
from runtime.ids import derived_id, new_id
from runtime.parts import PartAway
from runtime.telemetry import labelled
from services.delivery.ports import Refusal, SendResult, Verdict
from services.domain import channels
from services.domain.reasons import Reason, text_of
from services.senders import provider_settings, registry
from services.senders.compose import Unsendable
from services.senders.health.ports import HealthObserver, ProviderTestLimit
from services.senders.ports import Provider, Resources, TenantProfile
from services.senders.providers import NewProvider, ProviderRepository, StoredProvider

# Seconds for the call of the provider; its own limits are shorter.
DEADLINE_S = 20.0
_TESTS = Counter(
    "clarion_provider_tests_total", "Test messages of operators and their outcome.", ["channel", "provider", "outcome"]
)
_SUBJECT = "Test message from Clarion"
_CLOSE_S = 2.0
# Of one segment in any alphabet.
_SMS_CHARACTERS = 70


@dataclass(frozen=True, slots=True)
class ProviderTestResult:
    """What came of a test. delivery_id: names the message, as in the sandbox's outbox."""

    result: SendResult
    took_us: int
    delivery_id: str


class ProviderTester:
    """Tests stored providers. tenant: returns a tenant as last published. refusals: why nothing may be sent."""

    def __init__(
        self,
        providers: ProviderRepository,
        resources: Resources,
        tenant: Callable[[str], TenantProfile | None],
        limit: ProviderTestLimit,
        observer: HealthObserver,
        refusals: Sequence[Refusal] = (),
    ) -> None:
        self._providers = providers
        self._resources = resources
        self._tenant = tenant
        self._limit = limit
        self._observer = observer
        self._refusals = refusals

    async def test(self, provider_id: str, recipient: str) -> ProviderTestResult:
        """Send a test message. Raises NOT_FOUND, INVALID (recipient), LIMITED, UNAVAILABLE."""
        stored = await self._providers.get(provider_id)
        provider = stored.provider
        delivery = _delivery(provider, recipient)
        if refusal := next((word for one in self._refusals if (word := one(delivery))), ""):
            raise _wrong_recipient(text_of(refusal))
        try:
            settings = _settings(stored)
        except (KeyError, ClarionError) as error:
            return _not_called(delivery, provider, error)
        message = self._compose(delivery, provider, settings)
        if isinstance(message, SendResult):
            return ProviderTestResult(message, 0, delivery.id)
        await self._limit.take(provider.tenant_id, provider.id)
        return await self._send(delivery, provider, settings, message)

    def _compose(self, delivery: event_pb2.Delivery, provider: NewProvider, settings: Any) -> Any:
        """Return the channel's message, or the result if the sender is wrong. Raises INVALID, UNAVAILABLE."""
        tenant = self._tenant(provider.tenant_id)
        try:
            return registry.composer(provider.channel)(delivery, _content(provider), tenant, settings)
        except Unsendable as error:
            if error.verdict is Verdict.POSTPONED:
                raise ClarionError(Code.UNAVAILABLE, error.detail, retry_after=1) from None
            if error.reason in {Reason.MISSING_RECIPIENT, Reason.INVALID_RECIPIENT}:
                raise _wrong_recipient(error.detail) from None
            return SendResult(error.verdict, provider.kind, error.reason, error.detail)

    async def _send(
        self, delivery: event_pb2.Delivery, provider: NewProvider, settings: Any, message: Any
    ) -> ProviderTestResult:
        opened: Provider[Any] = registry.kind(provider.channel, provider.kind).open(settings, self._resources)
        started = time.perf_counter()
        try:
            async with asyncio.timeout(DEADLINE_S):
                result = await opened.send(message)
        except TimeoutError:
            detail = f"No answer within {DEADLINE_S:g} s."
            result = SendResult(Verdict.TRANSIENT, provider.kind, Reason.PROVIDER_TIMEOUT, detail)
        except PartAway:
            detail = "A part of Clarion that the provider needs does not answer."
            raise ClarionError(Code.UNAVAILABLE, detail, retry_after=1) from None
        finally:
            await _close(opened)
        took_us = int((time.perf_counter() - started) * 1_000_000)
        channel = channels.NAMES[provider.channel]
        labelled(_TESTS, channel, provider.kind, result.reason or result.verdict.value).inc()
        self._observer.called(provider.id, result)
        return ProviderTestResult(result, took_us, delivery.id)


async def _close(opened: Provider[Any]) -> None:
    try:
        async with asyncio.timeout(_CLOSE_S):
            await opened.close()
    except TimeoutError:
        pass  # its connections end with their own limits


def _settings(stored: StoredProvider) -> Any:
    provider = stored.provider
    kind = registry.kind(provider.channel, provider.kind)
    given = {**provider.settings, **stored.secrets}
    return provider_settings.read_settings(kind, provider_settings.cleaned(kind, given))


def _not_called(delivery: event_pb2.Delivery, provider: NewProvider, error: Exception) -> ProviderTestResult:
    detail = f"This version of Clarion has no provider of kind {provider.kind}."
    if isinstance(error, ClarionError):
        detail = "; ".join(f"{name.removeprefix('settings.')}: {said}" for name, said in error.fields) or error.detail
    result = SendResult(Verdict.TRANSIENT, provider.kind, Reason.PROVIDER_SETTINGS, detail)
    return ProviderTestResult(result, 0, delivery.id)


def _delivery(provider: NewProvider, recipient: str) -> event_pb2.Delivery:
    event_id = new_id()
    field = channels.BY_NUMBER[provider.channel].address_field
    return event_pb2.Delivery(
        id=derived_id(event_id, "test"),
        event_id=event_id,
        tenant_id=provider.tenant_id,
        channel=provider.channel,
        provider_id=provider.id,
        recipient=_recipient(field, recipient),
        trace_id=telemetry.current_trace(),
        attempt=1,
    )


def _recipient(field: str, address: str) -> event_pb2.Recipient:
    recipient = event_pb2.Recipient()
    setattr(recipient, field, address)
    return recipient


def _content(provider: NewProvider) -> render_pb2.Content:
    said = f"Test of the provider {provider.name} ({provider.kind}). It works if you read this."
    if provider.channel == event_pb2.CHANNEL_SMS:
        return render_pb2.Content(text=said[:_SMS_CHARACTERS], sms_segments=1)
    return render_pb2.Content(subject=_SUBJECT, text=said + "\n", html=f"<p>{html.escape(said)}</p>\n")


def _wrong_recipient(detail: str) -> ClarionError:
    return ClarionError(Code.INVALID, detail, fields=[("recipient", detail)])
