"""Writes a plan as messages: the deliveries to send, and the records of what was decided. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from clarion.common.v1 import event_pb2, trace_pb2
from services.domain import direct_messages
from services.router.definitions import Template
from services.router.policies import Candidate

_QUEUED = trace_pb2.DELIVERY_STATUS_QUEUED
_SKIPPED = trace_pb2.DELIVERY_STATUS_SKIPPED

# The largest body, in bytes, that each delivery carries itself; a larger one is referred to.
MAX_INLINE_BODY = 4096
# The most bytes of bodies that an event's deliveries to endpoints carry themselves, together.
MAX_INLINE_BODIES = 256 * 1024
# Planned deliveries in one record, and about how many bytes of them.
MAX_PLANNED = 500
MAX_PLANNED_BYTES = 256 * 1024
# So many are never that large.
_FEW = 50


_Of = TypeVar("_Of", event_pb2.Delivery, trace_pb2.PlannedDelivery)


class OfWorkflow(NamedTuple):
    """A stored workflow, and its run for somebody; empty: it is not started for them."""

    workflow_id: str
    workflow_run_id: str


class Plan(NamedTuple):
    """deliveries: to send. planned: all decisions. reason: why there is nothing to decide about; empty: there is."""

    deliveries: Sequence[event_pb2.Delivery] = ()
    planned: Sequence[trace_pb2.PlannedDelivery] = ()
    reason: str = ""


def body_sequence(event: event_pb2.Event, sequence: int, copies: int = 1) -> int:
    """Return the sequence by which deliveries find the event's body; 0: it is small, and each carries it.

    copies: the number of endpoints that the event goes to.
    """
    size = body_size(event)
    return sequence if size > MAX_INLINE_BODY or size * copies > MAX_INLINE_BODIES else 0


def records(event: event_pb2.Event, plan: Plan, *, closes: bool = True, before: int = 0) -> list[trace_pb2.TraceRecord]:
    """Return the records of an event's plan, or of a part of it, without ids and times.

    Each has at most MAX_PLANNED decisions and about MAX_PLANNED_BYTES; the last one has the plan's reason. closes: no
    other part follows; then there is at least one record, and the last one says so. before: the decisions of the parts
    before.
    """
    written = [
        trace_pb2.TraceRecord(
            event_id=event.id, tenant_id=event.tenant_id, routed=trace_pb2.Routed(deliveries=part, continues=True)
        )
        for part in _parts(plan.planned)
    ]
    if not closes:
        if written:
            written[-1].routed.reason = plan.reason
        return written
    if not written:
        written = [trace_pb2.TraceRecord(event_id=event.id, tenant_id=event.tenant_id)]
    last = written[-1].routed
    last.SetInParent()
    last.continues = False
    last.reason = plan.reason
    total = before + len(plan.planned)
    if total > len(last.deliveries):  # else it is those in this record
        last.total = total
    return written


def routed(plan: Plan) -> trace_pb2.Routed:
    """Return a whole plan in one message, however large it is."""
    return trace_pb2.Routed(deliveries=plan.planned, reason=plan.reason)


def decision(candidate: Candidate, delivery_id: str, reason: str) -> trace_pb2.PlannedDelivery:
    """Return what was decided. reason: for not sending; empty: it is sent."""
    step, template, person = candidate.step, candidate.template, candidate.person
    # The only recipient of an event is known without the record.
    is_named = bool(candidate.event.audience)
    return trace_pb2.PlannedDelivery(
        delivery_id=delivery_id,
        channel=step.channel,
        status=_SKIPPED if reason else _QUEUED,
        reason=reason,
        template_version_id="" if template is None else template.version_id,
        provider_id="" if reason else candidate.provider_id,
        locale="" if template is None else template.locale,
        recipient=_known(person.recipient) if is_named else None,
        step=step.name_if_not_channels,
        destination=person.destination if is_named and not person.recipient.user_id else "",
    )


def _known(recipient: event_pb2.Recipient) -> event_pb2.Recipient:
    """Return what a record says of a recipient: not what is stored of them for templates alone."""
    if not (recipient.name or recipient.data):  # most
        return recipient
    known = event_pb2.Recipient()
    known.CopyFrom(recipient)
    known.ClearField("name")
    known.ClearField("data")
    return known


def endpoint_decision(endpoint_id: str, delivery_id: str, reason: str) -> trace_pb2.PlannedDelivery:
    """Return what was decided about an endpoint. reason: for not sending; empty: it is sent."""
    return trace_pb2.PlannedDelivery(
        delivery_id=delivery_id,
        channel=event_pb2.CHANNEL_WEBHOOK,
        status=_SKIPPED if reason else _QUEUED,
        reason=reason,
        endpoint_id=endpoint_id,
    )


def common(event: event_pb2.Event, now_us: int, sequence: int) -> event_pb2.Delivery:
    """Return what all deliveries of an event have in common. sequence: see body_sequence()."""
    shared = event_pb2.Delivery(
        event_id=event.id,
        tenant_id=event.tenant_id,
        event_type=event.event_type,
        variables=b"" if sequence else event.variables,
        payload_extra=b"" if sequence else event.payload_extra,
        trace_id=event.trace_id,
        accepted_at_us=event.accepted_at_us,
        planned_at_us=now_us,
        attempt=1,
    )
    if event.HasField("direct"):
        shared.direct.CopyFrom(direct_messages.without_content(event.direct) if sequence else event.direct)
    if event.is_secret:
        shared.is_secret = True
    if sequence:
        # An event that is kept without its body still has its weight, which is more.
        size = body_size(event) or event.weight
        shared.body_reference.CopyFrom(event_pb2.BodyReference(sequence=sequence, size=size))
    return shared


def delivery(
    shared: event_pb2.Delivery, candidate: Candidate, template: Template, delivery_id: str
) -> event_pb2.Delivery:
    """Return the message that sends it. shared: see common(); to copy it takes half the time of naming its fields."""
    written = event_pb2.Delivery()
    written.CopyFrom(shared)
    written.id = delivery_id
    written.channel = candidate.step.channel
    written.recipient.CopyFrom(candidate.person.recipient)
    written.template_version_id = template.version_id
    written.provider_id = candidate.provider_id
    if template.push_namespace:
        written.push_namespace = template.push_namespace
    if template.subscribed:
        written.subscribed = True
    if candidate.step.name_if_not_channels:
        written.step = candidate.step.name_if_not_channels
    return written


def of_workflow(written: _Of, of: OfWorkflow, step: str) -> _Of:
    """Say which step of which stored workflow a delivery, or a decision about it, is; return it."""
    written.workflow_id, written.workflow_run_id = of
    written.step = step
    return written


def common_to_endpoints(event: event_pb2.Event, now_us: int, sequence: int) -> event_pb2.Delivery:
    """Return what all deliveries of an event to endpoints have in common: of its body what is sent. See common()."""
    shared = common(event, now_us, sequence)
    shared.payload_extra = b""
    shared.channel = event_pb2.CHANNEL_WEBHOOK
    if event.recipient.user_id:
        shared.webhook.user_id = event.recipient.user_id
    return shared


def endpoint_delivery(shared: event_pb2.Delivery, endpoint_id: str, delivery_id: str) -> event_pb2.Delivery:
    """Return the message to an endpoint. shared: see common_to_endpoints()."""
    written = event_pb2.Delivery()
    written.CopyFrom(shared)
    written.id = delivery_id
    written.webhook.endpoint_id = endpoint_id
    return written


def body_size(event: event_pb2.Event) -> int:
    """Return the bytes of an event's body: variables, payload_extra, and a content that the caller wrote."""
    size = len(event.variables) + len(event.payload_extra)
    return size + direct_messages.content_size(event.direct) if event.HasField("direct") else size


def _parts(planned: Sequence[trace_pb2.PlannedDelivery]) -> Iterable[Sequence[trace_pb2.PlannedDelivery]]:
    if len(planned) <= _FEW:
        if planned:
            yield planned
        return
    start = size = 0
    for at, one in enumerate(planned):
        size += one.ByteSize()
        if at > start and (at - start == MAX_PLANNED or size > MAX_PLANNED_BYTES):
            yield planned[start:at]
            start, size = at, one.ByteSize()
    yield planned[start:]
