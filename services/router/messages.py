"""Writes a plan as messages: the deliveries to send, and the records of what was decided. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from clarion.common.v1 import event_pb2, trace_pb2
from services.domain import channels, delivery_ids
from services.router.policies import Candidate

_QUEUED = trace_pb2.DELIVERY_STATUS_QUEUED
_SKIPPED = trace_pb2.DELIVERY_STATUS_SKIPPED

# The largest body, in bytes, that each delivery carries itself; a larger one is referred to.
MAX_INLINE_BODY = 4096
# Planned deliveries in one record.
MAX_PLANNED = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """deliveries: to send. planned: all decisions. reason: why there is nothing to decide about; empty: there is."""

    deliveries: list[event_pb2.Delivery] = field(default_factory=list)
    planned: list[trace_pb2.PlannedDelivery] = field(default_factory=list)
    reason: str = ""


def body_sequence(event: event_pb2.Event, sequence: int) -> int:
    """Return the sequence by which deliveries find the event's body; 0: it is small, and each carries it."""
    return sequence if _body_size(event) > MAX_INLINE_BODY else 0


def records(
    event: event_pb2.Event, plans: Sequence[Plan], *, closes: bool = True, total: int = 0
) -> list[trace_pb2.TraceRecord]:
    """Return the records of an event's plans, without ids and times; at most MAX_PLANNED decisions in each.

    closes: these are the event's last plans; then there is at least one record, and the last one says so. total: the
    number of decisions of the whole event, those of earlier calls included; 0: of these plans.
    """
    planned = plans[0].planned if len(plans) == 1 else [one for plan in plans for one in plan.planned]
    written = []
    for start in range(0, max(len(planned), closes), MAX_PLANNED):  # at least one that closes
        record = trace_pb2.TraceRecord(event_id=event.id, tenant_id=event.tenant_id)
        routed = record.routed
        routed.SetInParent()
        part = planned[start : start + MAX_PLANNED]
        routed.deliveries.extend(part)
        if not closes or start + MAX_PLANNED < len(planned):
            routed.continues = True
        elif not (total or planned):
            routed.reason = next((plan.reason for plan in plans if plan.reason), "")
        elif (total or len(planned)) > len(part):
            routed.total = total or len(planned)
        written.append(record)
    return written


class MessageWriter:
    """Writes the messages of some of an event's recipients. plan: what was written so far."""

    def __init__(self, event: event_pb2.Event, now_us: int, sequence: int) -> None:
        self.plan = Plan()
        self._event = event
        # The only recipient of an event is known without the record.
        self._names_recipients = bool(event.audience)
        is_inline = not sequence
        # An event that is kept without its body still has its weight, which is more.
        size = _body_size(event) or event.weight
        # What all deliveries of the event have in common.
        self._common = event_pb2.Delivery(
            event_id=event.id,
            tenant_id=event.tenant_id,
            event_type=event.event_type,
            variables=event.variables if is_inline else b"",
            payload_extra=event.payload_extra if is_inline else b"",
            body_reference=None if is_inline else event_pb2.BodyReference(sequence=sequence, size=size),
            trace_id=event.trace_id,
            accepted_at_us=event.accepted_at_us,
            planned_at_us=now_us,
            attempt=1,
        )

    def add(self, candidate: Candidate, workflow_id: str, reason: str) -> None:
        """Write what was decided. reason: for not sending; empty: send it."""
        step, template, person = candidate.step, candidate.template, candidate.person
        channel = step.channel
        providers = candidate.definition.providers.get(channel)
        provider_id = providers[0] if providers and not reason else ""
        step_name = step.name if step.name != channels.NAMES[channel] else ""
        delivery_id = delivery_ids.delivery_id(
            self._event, channel, person.destination, step=step.name, run=workflow_id
        )
        planned = trace_pb2.PlannedDelivery(
            delivery_id=delivery_id,
            channel=channel,
            status=_SKIPPED if reason else _QUEUED,
            reason=reason,
            template_version_id=template.version_id if template is not None else "",
            provider_id=provider_id,
            locale=template.locale if template is not None else "",
            recipient=person.recipient if self._names_recipients else None,
            step=step_name,
        )
        self.plan.planned.append(planned)
        if reason or template is None:
            return
        delivery = event_pb2.Delivery()
        delivery.CopyFrom(self._common)  # half the time of naming all fields again
        delivery.id = delivery_id
        delivery.channel = channel
        delivery.recipient.CopyFrom(person.recipient)
        delivery.template_version_id = template.version_id
        delivery.provider_id = provider_id
        if template.push_namespace:
            delivery.push_namespace = template.push_namespace
        if template.subscribed:
            delivery.subscribed = True
        if step_name:
            delivery.step = step_name
        self.plan.deliveries.append(delivery)


def _body_size(event: event_pb2.Event) -> int:
    return len(event.variables) + len(event.payload_extra)
