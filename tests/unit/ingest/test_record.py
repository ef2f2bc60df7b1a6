"""Messages are merged into rows, in whatever order they come."""

import itertools

from clarion.common.v1 import event_pb2, trace_pb2
from services.ingest.ledger.record import merge
from services.ingest.ledger.rows import Item

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
    assert rows.stored == {("t", b"k"): ("e", 1, 86_400)}
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


def _part(*numbers: int, total: int = 0, continues: bool = False, user: str = "") -> trace_pb2.TraceRecord:
    """A record of a plan whose deliveries are queued for one user each, or for this one."""
    planned = [
        trace_pb2.PlannedDelivery(
            delivery_id=f"d{number}",
            channel=SMS,
            status=QUEUED,
            recipient=event_pb2.Recipient(user_id=user or f"u{number}", phone=f"+2547{number}"),
            step="welcome" if user else "sms",
        )
        for number in numbers
    ]
    routed = trace_pb2.Routed(deliveries=planned, continues=continues, total=total)
    return trace_pb2.TraceRecord(id=f"r{numbers}", event_id="e", tenant_id="t", at_us=2, routed=routed)


def test_a_plan_in_parts_is_closed_by_its_last_record() -> None:
    """In any order: the total is known with the closing record, and all of its deliveries have counters."""
    records = [_part(0, 1, continues=True), _part(2, continues=True), _part(3, total=4)]
    for order in itertools.permutations(records):
        rows = merge(order)
        assert (rows.events["e"].total, rows.events["e"].finished_us) == (4, None)
        assert all(row.is_part for row in rows.deliveries.values())
        assert rows.events["e"].is_shared
        assert rows.maybe_finished() == ["e"]
    assert merge(records[:2]).events["e"].total is None
    assert not any(row.is_part for row in merge([_part(0, 1)]).deliveries.values())


def test_an_open_delivery_keeps_the_event_open() -> None:
    """Even if as many as were planned have ended: the event was planned twice, and differently."""
    rows = merge([_part(0, user="ada"), _attempted(SENT), _part(1, user="ada")])
    assert rows.events["e"].finished_us is None


def test_each_delivery_has_its_recipient() -> None:
    """One row for each person, with the addresses of all records; a step that is the channel's name is left out."""
    event = event_pb2.Event(id="e", tenant_id="t", accepted_at_us=1)
    event.audience.add().recipient.MergeFrom(event_pb2.Recipient(user_id="u0", email="u0@example.org"))
    event.audience.add().recipient_id = "u1"
    event.audience.add().recipient.MergeFrom(event_pb2.Recipient(email="x@example.org"))
    event.audience.add().group = "team"
    rows = merge([_part(0, 1, 5), event])
    assert {key[1]: row.addresses for key, row in rows.recipients.items()} == {
        "u0": {"email": "u0@example.org", "sms": "+25470"},
        "u1": {"sms": "+25471"},
        "#2": {"email": "x@example.org"},
        "u5": {"sms": "+25475"},
    }
    assert {row.id: (row.destination, row.step) for row in rows.deliveries.values()} == {
        "d0": ("u0", None),
        "d1": ("u1", None),
        "d5": ("u5", None),
    }
    assert merge([_part(0, user="ada")]).deliveries["d0"].step == "welcome"


def test_an_event_waits_for_the_latest_time_that_is_named() -> None:
    """A time that has come when the event is accepted is none."""
    waiting = trace_pb2.TraceRecord(id="w", event_id="e", tenant_id="t", waiting=trace_pb2.Waiting(until_us=9))
    event = event_pb2.Event(id="e", tenant_id="t", accepted_at_us=3, due_at_us=5)
    items: list[Item] = [event, waiting]
    for order in (items, items[::-1]):
        assert merge(order).events["e"].due_us == 9
    assert merge([event]).events["e"].due_us == 5
    event.due_at_us = 3
    assert merge([event]).events["e"].due_us is None
