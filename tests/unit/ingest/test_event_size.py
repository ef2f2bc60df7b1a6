"""The bytes that an event takes of its tenant's budget."""

import pytest

from clarion.common.v1 import event_pb2
from services.domain.audience import MAX_TARGETS
from services.ingest.event_size import size_in_streams
from services.ingest.ports import LEAST_MAX_BYTES
from services.ingest.pressure import LEAST_SHARE

_EVERYBODY = event_pb2.Target(everybody=event_pb2.Everybody())


def _people(number: int) -> list[event_pb2.Target]:
    return [event_pb2.Target(recipient=event_pb2.Recipient(user_id=f"user-{n:04}")) for n in range(number)]


def _size(audience: list[event_pb2.Target], body: int = 300) -> int:
    event = event_pb2.Event(event_type="order.confirmed", variables=b"x" * body, audience=audience)
    return size_in_streams(event)


def test_a_small_event_counts_with_its_copies() -> None:
    """A small event's body is stored with each of its three deliveries, too."""
    event = event_pb2.Event(event_type="order.confirmed", variables=b"x" * 300)
    assert 4 * event.ByteSize() < size_in_streams(event) < 4 * event.ByteSize() + 1000


def test_a_large_event_counts_once() -> None:
    """A large event's deliveries only refer to its body."""
    event = event_pb2.Event(event_type="order.confirmed", variables=b"x" * 200_000)
    assert event.ByteSize() < size_in_streams(event) < event.ByteSize() + 15_000


def test_each_target_counts_with_its_deliveries() -> None:
    """Whether it is described or stored: three deliveries, each with the body and one recipient."""
    ten, twenty = _size(_people(10)), _size(_people(20))
    assert 10 * 3 * 300 < ten < 10 * 3 * 700
    assert 1.9 < twenty / ten < 2.1
    stored = [event_pb2.Target(recipient_id=f"user-{n:04}") for n in range(10)]
    assert _size(stored) == pytest.approx(ten, rel=0.1)


def test_groups_count_as_one_page() -> None:
    """However many they are: one page of five hundred is under way at a time."""
    groups = [event_pb2.Target(group=f"group-{n:04}") for n in range(5)]
    one = _size(groups[:1])
    assert 500 * 3 * 300 < one < 500 * 3 * 700
    for more in (groups, [*groups, _EVERYBODY]):
        assert one <= _size(more) < 1.1 * one
    assert _size([*groups, *_people(10)]) > one + 10 * 3 * 300


def test_every_event_has_room() -> None:
    """The largest one too, in the least budget, while a stream is crowded."""
    assert _size([_EVERYBODY, *_people(MAX_TARGETS - 1)], 4096) <= LEAST_MAX_BYTES * LEAST_SHARE


def test_each_endpoint_counts_with_its_delivery() -> None:
    """One with the body, if that is small; no event counts more than there is room for."""

    def size(number: int, body: int) -> int:
        endpoints = event_pb2.EndpointSet(endpoint_ids=[f"{n:036}" for n in range(number)])
        return size_in_streams(event_pb2.Event(event_type="a.b", variables=b"x" * body, endpoints=endpoints))

    assert size(0, 300) < 300 + 300
    assert 10 * 300 < size(10, 300) - size(0, 300) < 10 * 600
    assert size(10, 100_000) < 100_000 + 10 * 5_000
    assert size(5_000, 100_000) <= LEAST_MAX_BYTES * LEAST_SHARE
