"""Messages are merged into rows, in whatever order they come."""

import itertools

from clarion.common.v1 import event_pb2, trace_pb2
from services.ingest.ledger.record import merge

SMS = event_pb2.CHANNEL_SMS
QUEUED, SKIPPED = trace_pb2.DELIVERY_STATUS_QUEUED, trace_pb2.DELIVERY_STATUS_SKIPPED
SENT, RETRYING, DEAD = (
    trace_pb2.DELIVERY_STATUS_SENT,
    trace_pb2.DELIVERY_STATUS_RETRYING,
    trace_pb2.DELIVERY_STATUS_DEAD,
)
ACCEPTED = event_pb2.Event(id="e", tenant_id="t", event_type="x", accepted_at_us=1, dedupe_key=b"k")


def _routed(*statuses: trace_pb2.DeliveryStatus.ValueType) -> trace_pb2.TraceRecord:
    planned = [
        trace_pb2.PlannedDelivery(delivery_id=f"d{number}", channel=SMS, status=status)
        for number, status in enumerate(statuses)
    ]
    return trace_pb2.TraceRecord(
        id="r", event_id="e", tenant_id="t", at_us=2, duration_us=1, routed=trace_pb2.Routed(deliveries=planned)
    )


def _attempted(status: trace_pb2.DeliveryStatus.ValueType, attempt: int = 1, replay: int = 0) -> trace_pb2.TraceRecord:
    return trace_pb2.TraceRecord(
        id=f"a{attempt}-{replay}",
        event_id="e",
        tenant_id="t",
        at_us=2 + attempt,
        attempted=trace_pb2.Attempted(
            delivery_id="d0", channel=SMS, status=status, attempt=attempt, replay=replay, provider="p"
        ),
    )


def test_a_whole_life_in_one_group() -> None:
    """Accepted, routed and sent make one finished event, one delivery, one attempt."""
    rows = merge([ACCEPTED, _routed(QUEUED), _attempted(SENT)])
    event, delivery = rows.events["e"], rows.deliveries["d0"]
    assert (event.event_type, event.total, event.finished_us) == ("x", 1, 3)
    assert (delivery.status, delivery.attempts, delivery.provider) == (SENT, 1, "p")
    assert rows.stored == {("t", b"k"): ("e", 1)}
    assert rows.maybe_finished() == []


def test_the_order_does_not_matter() -> None:
    """Any order of the records gives the same rows."""
    records = [_routed(QUEUED), _attempted(RETRYING), _attempted(SENT, 2)]
    outcomes = {
        (rows.deliveries["d0"].status, rows.deliveries["d0"].attempts, rows.events["e"].finished_us)
        for order in itertools.permutations(records)
        for rows in [merge([ACCEPTED, *order])]
    }
    assert outcomes == {(SENT, 2, 4)}


def test_what_is_skipped_is_finished() -> None:
    """An event of which nothing is sent is finished when it is routed."""
    assert merge([_routed(SKIPPED, SKIPPED)]).events["e"].finished_us == 2
    assert merge([_routed()]).events["e"].finished_us == 2


def test_a_part_leaves_the_rest_to_the_tables() -> None:
    """One of two deliveries has ended: only the tables know the other one."""
    rows = merge([_routed(QUEUED, QUEUED), _attempted(SENT)])
    assert rows.events["e"].finished_us is None
    assert rows.maybe_finished() == ["e"]
    assert merge([_attempted(SENT)]).maybe_finished() == ["e"]


def test_a_replay_begins_anew() -> None:
    """A replayed delivery's attempt replaces the dead one's status, in either order."""
    for records in itertools.permutations([_attempted(DEAD, 3), _attempted(SENT, 1, replay=1)]):
        rows = merge(records)
        assert rows.deliveries["d0"].status == SENT
        assert len(rows.dead) == 1


def test_a_record_read_twice_is_one() -> None:
    """Redelivered messages change nothing."""
    rows = merge([ACCEPTED, ACCEPTED, _routed(QUEUED), _routed(QUEUED), _attempted(SENT), _attempted(SENT)])
    assert len(rows.attempts) == 1
    assert len(rows.deliveries) == 1
