"""The wire form of the ledger's rows: pure."""

from collections.abc import Mapping, Sequence

import msgspec

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import ledger_pb2
from services.domain import channels
from services.domain.reasons import Reason
from services.ingest.ledger.timeline import Row, exchange, to_us

_decode_metadata = msgspec.json.Decoder(dict[str, dict[str, str]]).decode
_decode_addresses = msgspec.json.Decoder(dict[str, str | None]).decode
# The field of a recipient by the channel's name.
_FIELDS = {channel.name: channel.address_field for channel in channels.BY_NUMBER.values() if channel.address_field}


def recipient(row: Row) -> event_pb2.Recipient | None:
    """Return the recipient of a row with user_id and addresses; None: it has none."""
    if row["user_id"] is None:
        return None
    addresses = _decode_addresses(row["addresses"]) if row["addresses"] else {}
    found = event_pb2.Recipient(user_id=row["user_id"])
    for name, field in _FIELDS.items():
        if value := addresses.get(name):
            setattr(found, field, value)
    return found


def event_summary(row: Row, deliveries: Sequence[Row], counts: Mapping[int, int]) -> ledger_pb2.EventSummary:
    """Return an event with its first deliveries. counts: of all deliveries, by status."""
    return ledger_pb2.EventSummary(
        id=str(row["id"]),
        tenant_id=str(row["tenant_id"]),
        event_type=row["event_type"] or "",
        caller_event_id=row["caller_event_id"] or "",
        recipient=recipient(row) if not row["is_shared"] else None,
        trace_id=row["trace_id"] or "",
        accepted_at_us=to_us(row["accepted_at"]),
        finished_at_us=to_us(row["finished_at"]),
        replay_of=str(row["replay_of"] or ""),
        replayed=row["is_replayed"],
        test=bool(row["is_test"]),
        deliveries=[delivery_summary(delivery, row) for delivery in deliveries],
        delivery_count=sum(counts.values()),
        counts=[
            ledger_pb2.StatusCount(status=trace_pb2.DeliveryStatus.ValueType(status), count=count)
            for status, count in sorted(counts.items())
        ],
        several_recipients=row["is_shared"],
        due_at_us=to_us(row["due_at"]),
        waiting=is_waiting(row),
        reason=_reason(row, counts),
        routed_at_us=to_us(row["routed_at"]),
        metadata=metadata(row),
        has_workflows=row["has_workflows"],
        is_secret=row["is_secret"],
        recipient_count=row["recipient_count"],
    )


def _reason(row: Row, counts: Mapping[int, int]) -> str:
    """Return why nothing, or no more, of an event is sent; empty: see the deliveries."""
    if row["canceled_at"] is not None:
        return Reason.CANCELED
    is_sent = any(count for status, count in counts.items() if status != trace_pb2.DELIVERY_STATUS_SKIPPED)
    return "" if is_sent else row["route_reason"] or ""


def is_waiting(row: Row) -> bool:
    """Return whether the event's time has not come: nothing of it is planned."""
    return row["due_at"] is not None and row["routed_at"] is None and row["finished_at"] is None


def delivery_summary(row: Row, event: Row) -> ledger_pb2.DeliverySummary:
    """Return a delivery. event: the row of its event, or of a list that has that row's columns."""
    return ledger_pb2.DeliverySummary(
        id=str(row["id"]),
        event_id=str(row["event_id"]),
        channel=row["channel"],
        status=row["status"],
        reason=row["reason"],
        provider=row["provider"],
        attempts=row["attempts"],
        recipient=recipient(row),
        step=row["step"] or channels.NAMES.get(row["channel"], ""),
        updated_at_us=to_us(row["updated_at"]),
        endpoint_id=str(row["endpoint_id"] or ""),
        event_type=event["event_type"] or "",
        caller_event_id=event["caller_event_id"] or "",
        metadata=metadata(event),
        created_at_us=to_us(event["accepted_at"]),
        first_attempt_at_us=to_us(row["first_attempt_at"]),
        sent_at_us=to_us(row["sent_at"]),
        next_attempt_at_us=to_us(row["next_attempt_at"]),
        parked=row["parked"] or "",
        workflow_id=str(row["workflow_id"] or ""),
        workflow_run_id=str(row["workflow_run_id"] or ""),
        has_content=event["has_content"],
    )


def metadata(event: Row) -> dict[str, str]:
    """Return an event's labels."""
    return next(iter(_decode_metadata(event["metadata"]).values()), {}) if event["metadata"] else {}


def workflow_count(row: Row) -> ledger_pb2.WorkflowCount:
    """Return how many deliveries of a step have a status. What waits in rows of the senders is shown as queued."""
    return ledger_pb2.WorkflowCount(
        workflow_id=str(row["workflow_id"] or ""),
        step=row["step"] or channels.NAMES.get(row["channel"], ""),
        channel=row["channel"],
        status=row["status"] or trace_pb2.DELIVERY_STATUS_QUEUED,
        count=row["n"],
    )


def attempt(row: Row) -> ledger_pb2.Attempt:
    """Return an attempt of a delivery to an endpoint."""
    return ledger_pb2.Attempt(
        id=str(row["id"]),
        attempt=row["attempt"],
        replay=row["replay"],
        status=row["status"],
        reason=row["reason"],
        detail=row["detail"],
        at_us=to_us(row["ended_at"]),
        duration_us=row["send_us"],
        next_attempt_at_us=to_us(row["next_attempt_at"]),
        http=exchange(row),
    )


def dead_letter(row: Row) -> ledger_pb2.DeadLetter:
    """Return a dead letter."""
    return ledger_pb2.DeadLetter(
        delivery_id=str(row["delivery_id"]),
        event_id=str(row["event_id"]),
        tenant_id=str(row["tenant_id"]),
        channel=row["channel"],
        reason=row["reason"],
        detail=row["detail"],
        died_at_us=to_us(row["died_at"]),
        endpoint_id=str(row["endpoint_id"] or ""),
        event_type=row["event_type"],
        provider=row["provider"],
    )
