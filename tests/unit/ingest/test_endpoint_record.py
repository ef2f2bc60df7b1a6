"""Deliveries to endpoints are merged into rows, in whatever order their records come."""

import itertools
from collections.abc import Sequence

import msgspec
import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from services.ingest.ledger.record import merge
from services.ingest.ledger.rows import DeliveryRow, Item

WEBHOOK = event_pb2.CHANNEL_WEBHOOK
QUEUED, SKIPPED = trace_pb2.DELIVERY_STATUS_QUEUED, trace_pb2.DELIVERY_STATUS_SKIPPED
SENT, RETRYING, DEAD = (
    trace_pb2.DELIVERY_STATUS_SENT,
    trace_pb2.DELIVERY_STATUS_RETRYING,
    trace_pb2.DELIVERY_STATUS_DEAD,
)
ACCEPTED = event_pb2.Event(
    id="e", tenant_id="t", event_type="x", accepted_at_us=1, metadata={"source": "shop", "nul": "a\x00b"}
)
PLANNED = trace_pb2.TraceRecord(
    id="r",
    event_id="e",
    tenant_id="t",
    at_us=2,
    routed=trace_pb2.Routed(
        deliveries=[
            trace_pb2.PlannedDelivery(delivery_id="d0", channel=WEBHOOK, status=QUEUED, endpoint_id="p", step="webhook")
        ]
    ),
)


def _attempted(
    status: trace_pb2.DeliveryStatus.ValueType, attempt: int = 1, replay: int = 0, next_us: int = 0
) -> trace_pb2.TraceRecord:
    return trace_pb2.TraceRecord(
        id=f"a{replay}-{attempt}",
        event_id="e",
        tenant_id="t",
        at_us=100 * attempt + 10_000 * replay,
        attempted=trace_pb2.Attempted(
            delivery_id="d0",
            channel=WEBHOOK,
            status=status,
            attempt=attempt,
            replay=replay,
            next_attempt_at_us=next_us,
            http=trace_pb2.HttpExchange(url="https://a.example", status=500),
        ),
    )


def _parked(reason: str, attempt: int = 1, replay: int = 0, at_us: int = 0) -> trace_pb2.TraceRecord:
    return trace_pb2.TraceRecord(
        id=f"p{replay}-{attempt}-{reason}",
        event_id="e",
        tenant_id="t",
        at_us=at_us or 100 * attempt + 10_000 * replay - 50,
        parked=trace_pb2.Parked(
            delivery_id="d0", channel=WEBHOOK, reason=reason, attempt=attempt, replay=replay, until_us=9_000
        ),
    )


def _delivery(items: Sequence[Item]) -> DeliveryRow:
    return merge(items).deliveries["d0"]


@pytest.mark.parametrize(
    ("records", "is_parked"),
    [
        pytest.param([_parked("endpoint_down")], True, id="before the first attempt"),
        pytest.param([_parked("endpoint_down"), _attempted(SENT)], False, id="sent"),
        pytest.param([_parked("endpoint_down"), _attempted(RETRYING)], False, id="tried"),
        pytest.param([_attempted(RETRYING), _parked("retry", 2)], True, id="before the second attempt"),
        pytest.param([_parked("endpoint_down", 3), _attempted(SKIPPED, 1)], False, id="skipped by hand"),
        pytest.param([_attempted(DEAD, 3), _parked("endpoint_down", 1, 1)], True, id="sent again"),
        pytest.param([_parked("polled", 1, 0), _attempted(SENT, 1, 1)], False, id="of the time before"),
    ],
)
def test_a_parked_delivery_waits_until_it_is_tried(records: list[Item], is_parked: bool) -> None:  # noqa: FBT001
    """In every order of the records."""
    for order in itertools.permutations([ACCEPTED, PLANNED, *records]):
        row = _delivery(order)
        assert row.is_parked == is_parked
        assert row.endpoint is not None
        assert row.endpoint.endpoint_id == "p"


def test_the_newest_parking_counts() -> None:
    """A delivery that waited for its endpoint's return, and then because it was disabled."""
    earlier, later = _parked("endpoint_down", at_us=60), _parked("endpoint_disabled", at_us=70)
    for order in ((earlier, later), (later, earlier)):
        part = _delivery(order).endpoint
        assert part is not None
        assert part.parking is not None
        assert (part.parking.reason, part.parking.until_us) == ("endpoint_disabled", 9_000)


def test_times_of_attempts() -> None:
    """The first attempt, the next one that is due, and when it was sent."""
    records = [PLANNED, _attempted(RETRYING, 1, next_us=500), _attempted(RETRYING, 2, next_us=800)]
    for order in itertools.permutations(records):
        part = _delivery(order).endpoint
        assert part is not None
        assert (part.first_us, part.next_us, part.sent_us) == (100, 800, None)
    for order in itertools.permutations([*records, _attempted(SENT, 3)]):
        part = _delivery(order).endpoint
        assert part is not None
        assert (part.first_us, part.next_us, part.sent_us) == (100, None, 300)


def test_an_event_of_which_the_rest_is_parked_is_released() -> None:
    """Nothing of it is under way, and it is not finished."""
    row = merge([ACCEPTED, PLANNED, _parked("endpoint_down")]).events["e"]
    assert (row.is_released, row.finished_us) == (True, None)
    row = merge([ACCEPTED, PLANNED, _parked("endpoint_down"), _attempted(SENT)]).events["e"]
    assert (row.is_released, row.finished_us) == (None, 100)
    row = merge([ACCEPTED, PLANNED]).events["e"]
    assert (row.is_released, row.finished_us) == (None, None)
    assert merge([_parked("endpoint_down")]).maybe_finished() == ["e"]


def test_a_parking_is_a_line_of_the_timeline_but_for_the_wait_for_the_next_attempt() -> None:
    """That one is said by the attempt before."""
    rows = merge([_parked("endpoint_down"), _attempted(RETRYING), _parked("retry", 2)])
    assert sorted((one.attempted.status, one.attempted.reason) for one in rows.attempts.values()) == [
        (QUEUED, "endpoint_down"),
        (RETRYING, ""),
    ]


def test_endpoints_are_no_recipients() -> None:
    """A plan of several records for endpoints alone does not make the event one with several recipients."""
    part = trace_pb2.TraceRecord()
    part.CopyFrom(PLANNED)
    part.routed.continues = True
    closing = trace_pb2.TraceRecord(id="c", event_id="e", tenant_id="t", at_us=3, routed=trace_pb2.Routed(total=1))
    rows = merge([ACCEPTED, part, closing])
    assert (rows.events["e"].is_shared, rows.events["e"].total) == (None, 1)
    assert rows.deliveries["d0"].is_part


def test_labels_are_stored_below_their_tenant() -> None:
    """And without what PostgreSQL cannot store."""
    stored = merge([ACCEPTED]).events["e"].metadata
    assert stored is not None
    assert msgspec.json.decode(stored) == {"t": {"source": "shop", "nul": "ab"}}
    assert merge([PLANNED]).events["e"].metadata is None
