"""The bytes that an event takes of its tenant's budget."""

from clarion.ingest.v1 import ingest_pb2
from services.ingest.event_size import size_in_streams


def test_a_small_event_counts_with_its_copies() -> None:
    """A small event's body is stored with each of its three deliveries, too."""
    event = ingest_pb2.NewEvent(event_type="order.confirmed", variables=b"x" * 300)
    assert 4 * event.ByteSize() < size_in_streams(event) < 4 * event.ByteSize() + 1000


def test_a_large_event_counts_once() -> None:
    """A large event's deliveries only refer to its body."""
    event = ingest_pb2.NewEvent(event_type="order.confirmed", variables=b"x" * 200_000)
    assert event.ByteSize() < size_in_streams(event) < event.ByteSize() + 15_000
