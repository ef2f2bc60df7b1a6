"""Prepares messages for people: reads the body of the event and has the template rendered."""

from collections.abc import Coroutine
from typing import Any, Protocol, TypeAlias

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from runtime import logs, parts
from runtime.errors import ClarionError, Code
from services.delivery.ports import NO_DETAILS, Details, Prepared, SendResult, UnknownDelivery, Verdict
from services.domain import direct_messages
from services.domain.reasons import Reason

# How often a delivery waits for an event's body that neither EVENTS nor the ledger has: about 15 minutes in all.
_MAX_BODY_DEFERRALS = 20

Ready: TypeAlias = Prepared[render_pb2.Content] | SendResult

log = logs.get(__name__)


class EventBodies(Protocol):
    """Reads the bodies of large events; see services.delivery.bodies."""

    async def complete(self, delivery: event_pb2.Delivery) -> event_pb2.Delivery:
        """Return the delivery with its body. Raises PartAway, and ClarionError: NOT_FOUND if there is none."""


class Renderer(Protocol):
    """Renders deliveries; see services.delivery.render_client."""

    async def render(self, delivery: event_pb2.Delivery) -> render_pb2.RenderResult:
        """Return the content or the failure. Raises ClarionError: UNAVAILABLE if render does not answer."""


class MessageSender(Protocol):
    """Sends the messages of a channel. Its methods are those of services.delivery.ports.Attempter."""

    def slot(self, delivery: event_pb2.Delivery) -> str:
        """Return the name of the slot."""

    async def send(self, delivery: event_pb2.Delivery, message: render_pb2.Content) -> SendResult:
        """Send the rendered message once."""


class RenderingAttempter:
    """Implements services.delivery.ports.Attempter: renders a message, and gives it to the channel's sender."""

    def __init__(self, sender: MessageSender, bodies: EventBodies, renderer: Renderer, own: parts.OwnParts) -> None:
        self._sender = sender
        self._bodies = bodies
        self._renderer = renderer
        self._own = own

    def slot(self, delivery: event_pb2.Delivery) -> str:
        """See Attempter."""
        return self._sender.slot(delivery)

    def send(self, delivery: event_pb2.Delivery, message: render_pb2.Content) -> Coroutine[Any, Any, SendResult]:
        """See Attempter."""
        return self._sender.send(delivery, message)

    async def prepare(self, delivery: event_pb2.Delivery) -> Ready:
        """See Attempter."""
        if not (delivery.template_version_id or delivery.HasField("direct")):
            raise UnknownDelivery("it names no template version")
        try:
            whole = await self._bodies.complete(delivery) if delivery.HasField("body_reference") else delivery
        except parts.PartAway:
            raise
        except ClarionError as error:
            return without_body(delivery, error)
        if not (delivery.template_version_id or direct_messages.is_given(whole.direct)):
            return SendResult(Verdict.PERMANENT, provider="", reason=Reason.CONTENT_DELETED)
        try:
            rendered = await self._own.ask(parts.RENDER, lambda: self._renderer.render(whole))
        except parts.PartAway:
            raise
        except ClarionError as error:  # it answers, but has no time for this one
            log.warning("render_busy", delivery_id=delivery.id, error=error.detail)
            return SendResult(Verdict.POSTPONED, provider="", reason=Reason.RENDER_BUSY)
        return _ready(rendered, is_secret=delivery.is_secret)


def without_body(delivery: event_pb2.Delivery, error: ClarionError, *, is_old: bool = False) -> SendResult:
    """Return the result for a delivery whose event's body cannot be read: postponed, or failed where it is deleted.

    is_old: it has waited long enough, although nobody counted its deferrals.
    """
    log.warning("event_body_unavailable", delivery_id=delivery.id, event_id=delivery.event_id, error=error.detail)
    # The body of a secret is not kept, so a replay of it waits for nothing.
    is_lost = delivery.is_secret and delivery.replay > 0
    is_final = is_old or is_lost or delivery.deferrals >= _MAX_BODY_DEFERRALS
    if error.code is not Code.NOT_FOUND or not is_final:
        return SendResult(Verdict.POSTPONED, provider="", reason=Reason.BODY_AWAY)
    return SendResult(Verdict.PERMANENT, provider="", reason=Reason.CONTENT_DELETED)


def _ready(rendered: render_pb2.RenderResult, *, is_secret: bool) -> Ready:
    if rendered.HasField("failure"):
        failure = rendered.failure
        # A detail may quote the data.
        detail = "" if is_secret else failure.detail
        return SendResult(Verdict.PERMANENT, provider="", reason=failure.reason, detail=detail)
    content = rendered.content
    if content.is_empty:
        return SendResult(Verdict.SKIPPED, provider="", reason=Reason.EMPTY_CONTENT, detail=Reason.EMPTY_CONTENT.text)
    return Prepared(
        content, Details(content.sms_segments, content.sms_encoding) if content.sms_encoding else NO_DETAILS
    )
