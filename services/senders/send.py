"""One attempt at one delivery: its provider is called, and while that one is in trouble the tenant's next ones."""

import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from prometheus_client import Counter, Histogram

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from runtime import clock
from runtime.errors import ClarionError
from runtime.parts import PartAway
from runtime.telemetry import labelled
from services.delivery.ports import ProviderCall, SendResult, Verdict
from services.domain import channels
from services.domain.reasons import Reason
from services.senders import failover, registry
from services.senders.breaker import BreakerPolicy, Pause
from services.senders.compose import Unsendable
from services.senders.contents.capture import of_message
from services.senders.contents.ports import ContentRecorder
from services.senders.failover import Outcome, Paused
from services.senders.health.ports import HealthObserver
from services.senders.ports import ProviderDirectory, ProviderRecord, Resources
from services.senders.provider_cache import OpenProvider, OpenSecrets, OutageWatch, ProviderCache
from services.senders.sent import SentMessage

# The first and the last call may take 15 s each, and each waits up to 5 s for a connection; failover takes the rest.
DEADLINE_S = 52.0

_SENDS = Counter("clarion_sends_total", "Calls to providers and their outcome.", ["channel", "provider", "outcome"])
_SECONDS = Histogram(
    "clarion_send_seconds",
    "Seconds that a call to a provider took.",
    ["channel", "provider"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20),
)
_FAILOVERS = Counter(
    "clarion_failovers_total", "Calls after which the next provider was called.", ["channel", "provider"]
)

# Returns a subscribed e-mail with its unsubscribe link.
AddUnsubscribeLink = Callable[[event_pb2.Delivery, Any], Any]


class SentRecorder(Protocol):
    """Stores which delivery a provider's message id belongs to; see services.senders.sent."""

    def record(self, sent: SentMessage) -> None:
        """Store it soon; the caller does not wait."""


class ProviderSender:
    """Implements services.delivery.rendered.MessageSender for e-mail and SMS."""

    def __init__(
        self,
        directory: ProviderDirectory,
        resources: Resources,
        open_secrets: OpenSecrets,
        *,
        sent_log: SentRecorder | None = None,
        contents: ContentRecorder | None = None,
        policy: BreakerPolicy | None = None,
        add_unsubscribe_link: AddUnsubscribeLink | None = None,
        observer: HealthObserver | None = None,
        watch: OutageWatch | None = None,
    ) -> None:
        self._directory = directory
        self._observer = observer
        self._sent_log = sent_log
        self._contents = contents
        self._add_unsubscribe_link = add_unsubscribe_link
        self._providers = ProviderCache(resources, open_secrets, policy or BreakerPolicy(), observer, watch)

    def slot(self, delivery: event_pb2.Delivery) -> str:
        """Return tenant and provider: a provider that hangs holds up only its own deliveries."""
        return f"{delivery.tenant_id}/{delivery.provider_id}"

    async def send(self, delivery: event_pb2.Delivery, message: render_pb2.Content) -> SendResult:
        """Send once. See services.delivery.ports.Attempter."""
        result = failover.conclude(await self._call_in_turn(delivery, message))
        for call in result.earlier:
            labelled(_FAILOVERS, channels.NAMES[delivery.channel], call.result.provider).inc()
        return result

    def forget(self, tenant_id: str) -> None:
        """Close a tenant's providers, because they have changed. Calls under way are finished."""
        self._providers.forget(tenant_id)

    async def close(self) -> None:
        """Close every provider."""
        await self._providers.close()

    async def _call_in_turn(self, delivery: event_pb2.Delivery, content: render_pb2.Content) -> list[Outcome]:
        """Call the provider that routing chose, then the tenant's others, until one decides the attempt."""
        outcomes: list[Outcome] = []
        channel = channels.PUBLIC_NAMES.get(delivery.channel, "")
        try:
            chosen = await self._directory.provider(delivery.tenant_id, delivery.provider_id)
        except PartAway as away:  # the database, which alone knows a provider that is not published yet
            chosen = None
            outcomes.append(away)
        if chosen is not None and chosen.channel == channel:
            outcomes.append(await self._call(delivery, content, chosen))
        started = time.monotonic()
        for record in self._others(delivery, channel):
            if not failover.should_go_on(outcomes, time.monotonic() - started):
                break
            try:
                outcomes.append(await self._call(delivery, content, record))
            except PartAway as away:
                outcomes.append(away)
        return outcomes

    def _others(self, delivery: event_pb2.Delivery, channel: str) -> Iterable[ProviderRecord]:
        """Return the tenant's other providers of this channel, best first."""
        return (
            record
            for record in self._directory.providers(delivery.tenant_id)
            if record.channel == channel and record.id != delivery.provider_id
        )

    async def _call(
        self, delivery: event_pb2.Delivery, content: render_pb2.Content, record: ProviderRecord
    ) -> ProviderCall | Paused:
        """Call one provider, unless it is paused. Raises PartAway."""
        started, started_us = time.perf_counter(), clock.now_us()
        answer = await self._send_through(delivery, content, record)
        if isinstance(answer, Pause):
            return Paused(record.kind, answer)
        took_s = time.perf_counter() - started
        took_us = int(took_s * 1_000_000)
        channel = channels.NAMES[delivery.channel]
        labelled(_SENDS, channel, record.kind, answer.reason or answer.verdict.value).inc()
        labelled(_SECONDS, channel, record.kind).observe(took_s)
        return ProviderCall(_with_provider_id(answer, record.id), started_us + took_us, took_us)

    async def _send_through(
        self, delivery: event_pb2.Delivery, content: render_pb2.Content, record: ProviderRecord
    ) -> SendResult | Pause:
        """Compose the message and hand it over; a message that cannot be composed is a result, too."""
        try:
            opened = self._providers.get(delivery.tenant_id, delivery.channel, record)
        except ValueError as error:
            refused = SendResult(Verdict.CREDENTIALS, record.kind, Reason.PROVIDER_CREDENTIALS, str(error))
            return self._observed(record, refused)
        except ClarionError as error:  # another version accepted these settings, and this one does not
            refused = SendResult(Verdict.TRANSIENT, record.kind, Reason.PROVIDER_SETTINGS, error.detail)
            return self._observed(record, refused)
        if pause := opened.breaker.pause(time.monotonic()):
            return pause
        try:
            message = self._compose(delivery, content, opened)
        except Unsendable as error:
            return SendResult(error.verdict, record.kind, error.reason, error.detail)
        result = await self._hand_over(delivery.tenant_id, opened, message)
        if result.verdict is Verdict.POSTPONED:  # it was not called after all
            return Pause(result.reason, result.detail, result.retry_after_s)
        self._record_sent(delivery, opened, message, result)
        if self._contents is not None and not delivery.is_secret and self._contents.keeps(delivery.tenant_id):
            self._contents.record(
                of_message(delivery, content, message, result.handed, record.kind, record.id, clock.now_us())
            )
        return self._observed(record, result)

    def _compose(self, delivery: event_pb2.Delivery, content: render_pb2.Content, opened: OpenProvider) -> Any:
        """Return the channel's message. Raises Unsendable."""
        tenant = self._directory.tenant(delivery.tenant_id)
        message = registry.composer(delivery.channel)(delivery, content, tenant, opened.settings)
        if delivery.subscribed and self._add_unsubscribe_link is not None:
            return self._add_unsubscribe_link(delivery, message)
        return message

    async def _hand_over(self, tenant_id: str, opened: OpenProvider, message: Any) -> SendResult:
        """Call the provider, and tell its breaker what came of it: nothing, where the provider was not contacted."""
        call = opened.breaker.start_call()
        try:
            result = await opened.provider.send(message)
        except BaseException:
            opened.breaker.abandon_call(call)
            raise
        if result.verdict is Verdict.POSTPONED or failover.is_not_allowed(result):
            opened.breaker.abandon_call(call)
        else:
            self._providers.record_result(tenant_id, opened, call, result, time.monotonic())
        return result

    def _observed(self, record: ProviderRecord, result: SendResult) -> SendResult:
        """Return the result of a call, noted for operators."""
        if self._observer is not None:
            self._observer.called(record.id, result)
        return result

    def _record_sent(
        self, delivery: event_pb2.Delivery, opened: OpenProvider, message: Any, result: SendResult
    ) -> None:
        """Store the provider's message id, by which its delivery reports will name the message."""
        if self._sent_log is None or not (opened.reports and result.provider_message_id):
            return
        self._sent_log.record(
            SentMessage(
                provider_id=opened.record.id,
                message_id=result.provider_message_id,
                tenant_id=delivery.tenant_id,
                event_id=delivery.event_id,
                delivery_id=delivery.id,
                channel=delivery.channel,
                attempt=delivery.attempt,
                replay=delivery.replay,
                recipient=str(message.recipient),
            )
        )


def _with_provider_id(result: SendResult, provider_id: str) -> SendResult:
    """Return the result as this provider's. Written out: dataclasses.replace takes three times as long."""
    return SendResult(
        result.verdict,
        result.provider,
        result.reason,
        result.detail,
        result.provider_message_id,
        provider_id,
        result.retry_after_s,
        http=result.http,
    )
