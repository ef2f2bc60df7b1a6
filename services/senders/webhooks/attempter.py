"""One attempt at one delivery of the channel WEBHOOK: the body, the signature, the call."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from clarion.common.v1 import event_pb2
from clarion.senders.v1 import contents_pb2
from runtime import clock, parts
from runtime.errors import ClarionError
from services.delivery.ports import Prepared, SendResult, UnknownDelivery, Verdict
from services.delivery.rendered import EventBodies, without_body
from services.domain.endpoints import ORDERED, POLLED, PUSH, SLACK, WEBHOOK
from services.domain.reasons import Reason
from services.senders.contents.capture import of_call
from services.senders.contents.ports import ContentRecorder
from services.senders.webhooks import request, results, slack
from services.senders.webhooks.ports import Call, NoAnswer, NotPublished, OpenEndpoint, WebhookTransport

# An encryption key that is missing is added by an operator.
_UNREADABLE_S = 60.0
# An event's body that is not found so long after the event was accepted does not come any more, seconds.
_BODY_S = 900.0


class Endpoints(Protocol):
    """What this needs of services.senders.webhooks.directory.PublishedEndpoints."""

    async def endpoint(self, tenant_id: str, endpoint_id: str) -> OpenEndpoint | None:
        """Return an endpoint; None: it does not exist. Raises PartAway, NotPublished."""

    def known(self, tenant_id: str, endpoint_id: str) -> OpenEndpoint | None:
        """Return an endpoint as last published, without a question to its owner."""


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """A message that is ready to be sent. signed: the headers of its signature; none for Slack."""

    opened: OpenEndpoint
    body: bytes
    signed: dict[str, str]


class WebhookAttempter:
    """Implements services.delivery.ports.Attempter for the channel WEBHOOK."""

    def __init__(
        self,
        endpoints: Endpoints,
        bodies: EventBodies,
        transport: WebhookTransport,
        *,
        contents: ContentRecorder | None = None,
        now: clock.Clock = clock.now_us,
        takes_turns: bool = False,
    ) -> None:
        self._endpoints = endpoints
        self._bodies = bodies
        self._transport = transport
        self._contents = contents
        self._now = now
        self._takes_turns = takes_turns

    def of_drain(self) -> "WebhookAttempter":
        """Return the attempter for deliveries whose turn it is: it also sends to ORDERED endpoints."""
        return WebhookAttempter(
            self._endpoints, self._bodies, self._transport, contents=self._contents, now=self._now, takes_turns=True
        )

    def slot(self, delivery: event_pb2.Delivery) -> str:
        """See Attempter."""
        return delivery.webhook.endpoint_id

    def retry_delays_s(self, delivery: event_pb2.Delivery) -> tuple[float, ...]:
        """Return the endpoint's own seconds before the second, third, … attempt; empty: those of the channel."""
        opened = self._endpoints.known(delivery.tenant_id, delivery.webhook.endpoint_id)
        return tuple(map(float, opened.endpoint.retry_delays_s)) if opened is not None else ()

    async def prepare(self, delivery: event_pb2.Delivery) -> Prepared[WebhookMessage] | SendResult:
        """See Attempter. The signature is made now, by all secrets that are valid now."""
        opened = await self._opened(delivery)
        if isinstance(opened, SendResult):
            return opened
        if opened.endpoint.mode == POLLED:
            return _parked(opened, Reason.POLLED)
        if opened.endpoint.mode == ORDERED and not self._takes_turns:
            return _parked(opened, Reason.IN_ORDER)
        if opened.address is None:
            return _result(Verdict.PERMANENT, opened, Reason.ADDRESS_NOT_ALLOWED, opened.refusal)
        return await self._message(delivery, opened)

    async def polled(self, delivery: event_pb2.Delivery) -> Prepared[WebhookMessage] | SendResult:
        """Return the message as the owner of a POLLED endpoint reads it, or why there is none. Raises PartAway."""
        opened = await self._opened(delivery)
        if isinstance(opened, SendResult):
            return opened
        # Nobody attempts it, so nobody counts how often it waited.
        is_old = self._now() - delivery.accepted_at_us >= _BODY_S * 1_000_000
        return await self._message(delivery, opened, is_old=is_old)

    async def send(self, delivery: event_pb2.Delivery, message: WebhookMessage) -> SendResult:
        """See Attempter."""
        opened = message.opened
        if opened.address is None:
            return _result(Verdict.PERMANENT, opened, Reason.ADDRESS_NOT_ALLOWED, opened.refusal)
        head = opened.head + request.own_lines(message.body, message.signed)
        call = Call(delivery.tenant_id, opened.endpoint.id, opened.address, head, message.body)
        try:
            answer = await self._transport.post(call)
        except NoAnswer as error:
            result = results.of_no_answer(error, opened)
            if result.verdict is not Verdict.PARKED:
                self._record(delivery, message)
            return result
        self._record(delivery, message)
        return results.of_answer(answer, opened, datetime.fromtimestamp(self._now() / 1_000_000, UTC))

    def _record(self, delivery: event_pb2.Delivery, message: WebhookMessage) -> None:
        """Store what was sent. The body of a signed message is the event's, which the ledger stores."""
        if self._contents is None or delivery.is_secret or not self._contents.keeps(delivery.tenant_id):
            return
        opened = message.opened
        call = contents_pb2.StoredCall(
            url=results.shown_url(opened),
            head=opened.shown_head + request.shown_own_lines(message.body, message.signed),
            body=None if message.signed else message.body,
        )
        self._contents.record(of_call(delivery, call, opened.endpoint.kind, self._now()))

    async def _opened(self, delivery: event_pb2.Delivery) -> OpenEndpoint | SendResult:
        """Return the endpoint, if it can be sent to now."""
        if not delivery.HasField("webhook"):
            raise UnknownDelivery("it names no endpoint")
        try:
            opened = await self._endpoints.endpoint(delivery.tenant_id, delivery.webhook.endpoint_id)
        except NotPublished:
            return SendResult(Verdict.POSTPONED, provider="", reason=Reason.TENANT_UNKNOWN)
        if opened is None:
            return SendResult(Verdict.SKIPPED, provider="", reason=Reason.ENDPOINT_GONE)
        endpoint = opened.endpoint
        if endpoint.kind not in {WEBHOOK, SLACK} or endpoint.mode not in {PUSH, ORDERED, POLLED}:
            raise UnknownDelivery(f"endpoint of kind {endpoint.kind}, mode {endpoint.mode}")
        if not endpoint.active:
            return _parked(opened, Reason.ENDPOINT_DISABLED)
        if not opened.is_readable:
            return _parked(opened, Reason.SECRET_UNREADABLE, _UNREADABLE_S)
        return opened

    async def _message(
        self, delivery: event_pb2.Delivery, opened: OpenEndpoint, *, is_old: bool = False
    ) -> Prepared[WebhookMessage] | SendResult:
        now_us = self._now()
        keys = [one.key for one in opened.keys if not one.until_us or one.until_us > now_us]
        is_signed = opened.endpoint.kind != SLACK
        if is_signed and (not keys or None in keys):
            return _parked(opened, Reason.SECRET_UNREADABLE, _UNREADABLE_S)
        if delivery.HasField("body_reference"):
            try:
                delivery = await self._bodies.complete(delivery)
            except parts.PartAway:
                raise
            except ClarionError as error:
                return without_body(delivery, error, is_old=is_old)
        if not is_signed:
            return Prepared(WebhookMessage(opened, slack.body(delivery.event_type, delivery.variables), {}))
        body = delivery.variables
        known = [key for key in keys if key is not None]
        signed = request.signed_headers(known, delivery.id, now_us // 1_000_000, body)
        return Prepared(WebhookMessage(opened, body, signed))


def _parked(opened: OpenEndpoint, reason: Reason, retry_after_s: float = 0.0) -> SendResult:
    return SendResult(Verdict.PARKED, opened.endpoint.kind, reason, retry_after_s=retry_after_s)


def _result(verdict: Verdict, opened: OpenEndpoint, reason: Reason, detail: str) -> SendResult:
    return SendResult(verdict, opened.endpoint.kind, reason, detail)
