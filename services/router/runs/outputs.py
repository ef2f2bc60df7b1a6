"""What is published of a run: its deliveries, and the records of what was decided. Pure."""

from collections.abc import Sequence

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.router.v1 import run_output_pb2
from runtime.ids import derived_id_at, new_id
from services.domain.reasons import Reason
from services.router import messages
from services.router.messages import Plan
from services.router.ports import Conflict


def output_of(
    deliveries: Sequence[event_pb2.Delivery], written: Sequence[trace_pb2.TraceRecord], now_us: int
) -> run_output_pb2.RunOutput:
    """Return what is published, with the deliveries as they are stored until then: without their body."""
    output = run_output_pb2.RunOutput(deliveries=deliveries, records=written)
    for delivery in output.deliveries:
        # Workers tell by it how long two copies may have waited; see services/delivery/claims.py.
        delivery.decided_at_us = now_us
        for field in ("variables", "payload_extra", "body_reference"):
            delivery.ClearField(field)  # with_body() adds it
        if delivery.HasField("direct"):
            delivery.direct.ClearField("content")
    return output


def canceled_record(tenant_id: str, event_id: str, by: str, now_us: int) -> trace_pb2.TraceRecord:
    """Return the record of a cancellation; of an event it is always the same one."""
    id_ = derived_id_at(event_id, "canceled", tenant_id, event_id)
    return trace_pb2.TraceRecord(
        id=id_, tenant_id=tenant_id, event_id=event_id, at_us=now_us, canceled=trace_pb2.Canceled(by=by)
    )


def records(
    event: event_pb2.Event, plan: Plan, now_us: int, *, closes: bool, before: int
) -> list[trace_pb2.TraceRecord]:
    """Return the records of a part of the event's plan; see messages.records."""
    return dated(messages.records(event, plan, closes=closes, before=before), now_us)


def dated(written: Sequence[trace_pb2.TraceRecord], now_us: int) -> list[trace_pb2.TraceRecord]:
    """Give records their ids and their time; return them."""
    for record in written:
        record.id, record.at_us = new_id(), now_us
    return list(written)


def released(event: event_pb2.Event, now_us: int) -> trace_pb2.TraceRecord:
    """Return the record that all that is left of the event waits in workflow runs: it is always the same one."""
    return trace_pb2.TraceRecord(
        id=derived_id_at(event.id, "released", event.id),
        tenant_id=event.tenant_id,
        event_id=event.id,
        at_us=now_us,
        released=trace_pb2.Released(),
    )


def end(event: event_pb2.Event, reason: Reason, now_us: int, before: int) -> list[trace_pb2.TraceRecord]:
    """Return the record that closes an event's plan early. before: the decisions until then."""
    return records(event, Plan(reason=reason), now_us, closes=True, before=before)


def conflict_record(event: event_pb2.Event, conflict: Conflict) -> trace_pb2.TraceRecord:
    """Return the record that a contact is not quite known, without id and time."""
    told = trace_pb2.ContactConflict(meant=conflict.meant, other=conflict.other, identifier=conflict.identifier)
    return trace_pb2.TraceRecord(tenant_id=event.tenant_id, event_id=event.id, contact_conflict=told)
