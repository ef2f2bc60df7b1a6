"""reports.ports.Trace: records are on the timeline when the answer comes, each with an id."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from clarion.common.v1 import trace_pb2
from runtime import nats
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid, new_id
from services.domain import topology
from services.domain.trace import TraceWriter
from services.senders.reports.ports import Trace
from tests.fakes.senders import MemoryTrace


@dataclass
class Subject:
    """An implementation, and the world around it."""

    trace: Trace
    records: Callable[[], Awaitable[list[trace_pb2.TraceRecord]]]
    go_away: Callable[[], None]


def _fake() -> Subject:
    trace = MemoryTrace()

    async def records() -> list[trace_pb2.TraceRecord]:
        return trace.records

    def go_away() -> None:
        trace.away = True

    return Subject(trace, records, go_away)


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each implementation."""
    if request.param == "fake":
        return _fake()
    streams, server = request.getfixturevalue("streams"), request.getfixturevalue("nats_server")
    publisher = nats.StreamPublisher(request.getfixturevalue("connection"), deadline=1.0)

    async def records() -> list[trace_pb2.TraceRecord]:
        batches = [trace_pb2.TraceBatch.FromString(data) for data in await streams.messages(topology.TRACE)]
        return [record for batch in batches for record in batch.records]

    return Subject(TraceWriter(publisher), records, server.kill)


def _record(id_: str = "") -> trace_pb2.TraceRecord:
    repeat = trace_pb2.Repeat(event_type="order.shipped")
    return trace_pb2.TraceRecord(event_id=new_id(), tenant_id=new_id(), at_us=1, repeat=repeat, id=id_)


async def test_records_are_there_when_the_answer_comes(subject: Subject) -> None:
    """In their order; one that brings an id keeps it, the others get one."""
    named, nameless = _record(new_id()), _record()
    await subject.trace.write_all([named, nameless])
    assert [one.event_id for one in await subject.records()] == [named.event_id, nameless.event_id]
    first, second = await subject.records()
    assert first == named
    assert is_uuid(second.id)


async def test_writers_at_once_lose_nothing(subject: Subject) -> None:
    """Each waits for its own records."""
    groups = [[_record() for _ in range(3)] for _ in range(20)]
    await asyncio.gather(*[subject.trace.write_all(group) for group in groups])
    written = {one.event_id for one in await subject.records()}
    assert written == {one.event_id for group in groups for one in group}


async def test_a_timeline_that_is_away(subject: Subject) -> None:
    """UNAVAILABLE: what was not stored is not recorded."""
    subject.go_away()
    with pytest.raises(ClarionError) as away:
        await subject.trace.write_all([_record()])
    assert away.value.code is Code.UNAVAILABLE
