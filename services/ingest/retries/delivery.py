"""Which deliveries to endpoints can be sent again, and the message that does so: pure."""

from collections.abc import Mapping
from typing import Any

from clarion.common.v1 import event_pb2, trace_pb2
from services.domain import channels
from services.domain.reasons import Reason
from services.ingest.ledger.timeline import to_us

# The largest body that a delivery carries itself, bytes: see services.router.messages.MAX_INLINE_BODY.
MAX_INLINE_BODY = 4096
# The largest stored event that is read for its body: one with a larger body is referred to.
MAX_READ = 4 * MAX_INLINE_BODY

_ENDED_BADLY = (trace_pb2.DELIVERY_STATUS_FAILED, trace_pb2.DELIVERY_STATUS_DEAD)
# Reasons for which a skipped delivery can be sent after all.
RETRYABLE_SKIPS = (Reason.SKIPPED_BY_HAND, Reason.ENDPOINT_GONE)


def obstacle(row: Mapping[str, Any]) -> str:
    """Return why a delivery cannot be sent again; empty: it can be. row: of deliveries_for_update."""
    if row["status"] == trace_pb2.DELIVERY_STATUS_SKIPPED:
        if row["reason"] not in RETRYABLE_SKIPS:
            return "The delivery was skipped for a reason that still holds."
    elif row["status"] not in _ENDED_BADLY:
        return "The delivery has not failed: it was sent, or it is still under way."
    if row["endpoint_id"] is None:
        return "The plan of the delivery's event has not been read yet."
    if row["size"] is None:
        return "The event's content was deleted; send the event again."
    return ""


def repeated(row: Mapping[str, Any]) -> event_pb2.Delivery:
    """Return the message that sends it again, from its first attempt, without planned_at_us.

    row: of deliveries_for_update. A large body is referred to, and read from the ledger.
    """
    delivery = event_pb2.Delivery(
        id=str(row["id"]),
        event_id=str(row["event_id"]),
        tenant_id=str(row["tenant_id"]),
        event_type=row["event_type"] or "",
        channel=row["channel"],
        trace_id=row["trace_id"] or "",
        accepted_at_us=to_us(row["accepted_at"]),
        attempt=1,
        replay=row["replay"] + 1,
        step=row["step"] if row["step"] and row["step"] != channels.NAMES.get(row["channel"]) else "",
        webhook=event_pb2.Webhook(endpoint_id=str(row["endpoint_id"])),
    )
    size = row["size"]
    if row["event"] is not None:
        event = event_pb2.Event.FromString(row["event"])
        size = len(event.variables) + len(event.payload_extra)
        if size <= MAX_INLINE_BODY:
            delivery.variables, delivery.payload_extra = event.variables, event.payload_extra
            return delivery
    delivery.body_reference.CopyFrom(event_pb2.BodyReference(size=size))
    return delivery
