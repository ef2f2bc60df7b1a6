"""The records of an attempt for TRACE. Pure."""

from dataclasses import dataclass

from clarion.common.v1 import event_pb2, trace_pb2
from runtime.printable import printable
from services.delivery.ports import MAX_DETAIL, NO_DETAILS, Details, ParkedDelivery, SendResult, Verdict
from services.domain import direct_messages
from services.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class AttemptTimes:
    """When an attempt started, had its message prepared, and ended: Unix microseconds."""

    started_us: int
    prepared_us: int
    ended_us: int


def attempted(
    delivery: event_pb2.Delivery,
    result: SendResult,
    status: trace_pb2.DeliveryStatus.ValueType,
    times: AttemptTimes,
    details: Details = NO_DETAILS,
) -> trace_pb2.TraceRecord:
    """Return the record of an attempt that ended with this result and status."""
    step = _step(delivery, result, status)
    step.provider_message_id = result.provider_message_id
    step.wait_us = max(0, times.started_us - delivery.planned_at_us)
    step.render_us = times.prepared_us - times.started_us
    step.send_us = times.ended_us - times.prepared_us
    step.sms_segments = details.sms_segments
    step.sms_encoding = details.sms_encoding
    return _record(delivery, step, times.ended_us, times.ended_us - times.started_us)


def earlier_calls(delivery: event_pb2.Delivery, result: SendResult) -> list[trace_pb2.TraceRecord]:
    """Return a record for each call to a provider before the last one: RETRYING, without a time of the next attempt."""
    found = []
    for call in result.earlier:
        step = _step(delivery, call.result, trace_pb2.DELIVERY_STATUS_RETRYING)
        step.send_us = call.took_us
        found.append(_record(delivery, step, call.ended_us, call.took_us))
    return found


def parked(parked: ParkedDelivery, now_us: int) -> trace_pb2.TraceRecord:
    """Return the record of a delivery that waits in a row."""
    delivery = parked.delivery
    step = trace_pb2.Parked(
        delivery_id=delivery.id,
        channel=delivery.channel,
        reason=parked.reason,
        until_us=parked.due_us,
        attempt=delivery.attempt,
        replay=delivery.replay,
    )
    return trace_pb2.TraceRecord(event_id=delivery.event_id, tenant_id=delivery.tenant_id, at_us=now_us, parked=step)


def backlog_full(
    delivery: event_pb2.Delivery, now_us: int, reason: str = Reason.ENDPOINT_BACKLOG_FULL
) -> trace_pb2.TraceRecord:
    """Return the dead letter of a delivery that must wait, and for which there is no row, or no longer."""
    result = SendResult(Verdict.TRANSIENT, provider="", reason=reason)
    step = _step(delivery, result, trace_pb2.DELIVERY_STATUS_DEAD)
    step.dead_letter.CopyFrom(dead_letter(delivery))
    step.dead_letter.ClearField("claim")
    return _record(delivery, step, now_us, 0)


def ended_unsent(
    delivery: event_pb2.Delivery, status: trace_pb2.DeliveryStatus.ValueType, reason: str, now_us: int
) -> trace_pb2.TraceRecord:
    """Return the record of a delivery that ends without an attempt, such as as skipped."""
    result = SendResult(Verdict.SKIPPED, provider="", reason=reason)
    return _record(delivery, _step(delivery, result, status), now_us, 0)


def crashed(delivery: event_pb2.Delivery, error: Exception, now_us: int) -> trace_pb2.TraceRecord:
    """Return the dead letter of a delivery that crashes the worker every time."""
    step = trace_pb2.Attempted(
        delivery_id=delivery.id,
        channel=delivery.channel,
        attempt=delivery.attempt,
        replay=delivery.replay,
        status=trace_pb2.DELIVERY_STATUS_DEAD,
        reason=Reason.INTERNAL_ERROR,
        detail=type(error).__name__,
        dead_letter=dead_letter(delivery),
    )
    return _record(delivery, step, now_us, 0)


def _step(
    delivery: event_pb2.Delivery, result: SendResult, status: trace_pb2.DeliveryStatus.ValueType
) -> trace_pb2.Attempted:
    return trace_pb2.Attempted(
        delivery_id=delivery.id,
        channel=delivery.channel,
        attempt=delivery.attempt,
        replay=delivery.replay,
        status=status,
        reason=result.reason,
        # Nothing that a provider wrote may mislead a reader of the timeline.
        detail=printable(result.detail, MAX_DETAIL) if result.detail else "",
        provider=result.provider,
        provider_id=result.provider_id,
        http=_without_answer(result.http) if delivery.is_secret else result.http,
    )


def dead_letter(delivery: event_pb2.Delivery) -> event_pb2.Delivery:
    """Return what is kept of a delivery that did not succeed: a secret without its body, which cannot be sent again."""
    if not delivery.is_secret:
        return delivery
    kept = event_pb2.Delivery()
    kept.CopyFrom(delivery)
    size = len(delivery.variables) + len(delivery.payload_extra) + direct_messages.content_size(delivery.direct)
    for field in ("variables", "payload_extra"):
        kept.ClearField(field)
    if kept.HasField("direct"):
        kept.direct.ClearField("content")
    if not kept.HasField("body_reference"):
        kept.body_reference.size = size
    kept.body_reference.ClearField("sequence")
    return kept


def _without_answer(exchange: trace_pb2.HttpExchange | None) -> trace_pb2.HttpExchange | None:
    """Return a call without the body of its answer: providers repeat there what they were given."""
    if exchange is None:
        return None
    return trace_pb2.HttpExchange(
        url=exchange.url, status=exchange.status, headers=exchange.headers, is_cut=bool(exchange.body)
    )


def _record(
    delivery: event_pb2.Delivery, step: trace_pb2.Attempted, at_us: int, duration_us: int
) -> trace_pb2.TraceRecord:
    return trace_pb2.TraceRecord(
        event_id=delivery.event_id, tenant_id=delivery.tenant_id, at_us=at_us, duration_us=duration_us, attempted=step
    )
