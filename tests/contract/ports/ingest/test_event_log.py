"""ports.EventLog: an event is stored once per key, and the answer tells which one is."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import topology
from services.ingest.event_log import JetStreamEventLog
from services.ingest.ports import Appended, EventLog
from tests.conftest import NatsServer
from tests.fakes.ingest import MemoryEventLog
from tests.integration.ingest import builders
from tests.streams import Streams

_SOON_S = 0.05


@dataclass
class Subject:
    """An implementation, and the world around it."""

    log: EventLog
    events: Callable[[], Awaitable[list[event_pb2.Event]]]
    # Stop answering; take nothing more.
    go_away: Callable[[], None]
    fill: Callable[[], Awaitable[None]]
    # Stop answering for a while: begin to store an event, and nothing after it.
    hang: Callable[[event_pb2.Event], Awaitable["asyncio.Task[Appended]"]]
    resume: Callable[[], None]


def _fake() -> Subject:
    log = MemoryEventLog()

    async def events() -> list[event_pb2.Event]:
        return log.events

    def go_away() -> None:
        log.failure = ClarionError(Code.UNAVAILABLE, "away")

    async def fill() -> None:
        log.failure = ClarionError(Code.OVERLOADED, "full")

    async def hang(event: event_pb2.Event) -> "asyncio.Task[Appended]":
        log.gate.clear()
        appending = asyncio.create_task(log.append(event, within=_SOON_S))
        await asyncio.sleep(0)
        log.has_begun.clear()
        return appending

    def resume() -> None:
        log.has_begun.set()
        log.gate.set()

    return Subject(log, events, go_away, fill, hang, resume)


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each implementation."""
    if request.param == "fake":
        return _fake()
    connection: Client = request.getfixturevalue("connection")
    streams: Streams = request.getfixturevalue("streams")
    server: NatsServer = request.getfixturevalue("nats_server")

    async def fill() -> None:
        await streams.refuse(topology.EVENTS)

    log = JetStreamEventLog(connection)

    async def hang(event: event_pb2.Event) -> "asyncio.Task[Appended]":
        server.process.send_signal(signal.SIGSTOP)
        appending = asyncio.create_task(log.append(event, within=_SOON_S))
        for _ in range(3):  # the publisher's batch starts in a task of its own
            await asyncio.sleep(0)
        return appending

    def resume() -> None:
        server.process.send_signal(signal.SIGCONT)

    return Subject(log, streams.events, server.kill, fill, hang, resume)


def _event(key: str = "", tenant_id: str = "", **fields: str) -> event_pb2.Event:
    event = builders.event(tenant_id or new_id(), **fields)
    event.dedupe_key = key.encode().ljust(32, b"\0")
    return event


async def test_an_event_is_stored_as_it_is(subject: Subject) -> None:
    """When the answer comes it is there, every field of it."""
    event = _event("k", phone="+254712345678")
    assert await subject.log.append(event) == Appended(event.id)
    assert await subject.events() == [event]


async def test_a_key_is_stored_once(subject: Subject) -> None:
    """Under whichever id it comes again: the answer is the event that is there."""
    first = _event("k", tenant_id=new_id())
    again = _event("k", tenant_id=first.tenant_id, event_type="order.shipped")
    await subject.log.append(first)
    answers = [await subject.log.append(event) for event in (first, again)]
    assert answers == [Appended(first.id, first)] * 2
    assert await subject.events() == [first]


async def test_without_a_key_each_event_is_stored_once(subject: Subject) -> None:
    """Two events with one body are two; the same event again, as after a lost answer, is one."""
    tenant_id = new_id()
    one, other = builders.event(tenant_id), builders.event(tenant_id)
    for event in (one, other):
        event.dedupe_key = b""
        assert await subject.log.append(event) == Appended(event.id)
    assert await subject.log.append(one) == Appended(one.id, one)
    assert [event.id for event in await subject.events()] == [one.id, other.id]


async def test_of_many_at_once_each_has_its_own_answer(subject: Subject) -> None:
    """Also where some of them are known."""
    events = [_event(str(number)) for number in range(50)]
    await subject.log.append(events[7])
    answers = await asyncio.gather(*[subject.log.append(event) for event in events])
    assert [answer.event_id for answer in answers] == [event.id for event in events]
    assert [number for number, answer in enumerate(answers) if answer.first is not None] == [7]
    assert {event.id for event in await subject.events()} == {event.id for event in events}


async def test_a_log_that_is_away_stores_nothing(subject: Subject) -> None:
    """UNAVAILABLE: the caller may try again."""
    subject.go_away()
    with pytest.raises(ClarionError) as refused:
        await subject.log.append(_event("k"))
    assert refused.value.code is Code.UNAVAILABLE


async def test_a_full_log_stores_nothing(subject: Subject) -> None:
    """OVERLOADED: the caller may try again later."""
    await subject.fill()
    with pytest.raises(ClarionError) as refused:
        await subject.log.append(_event("k"))
    assert refused.value.code is Code.OVERLOADED
    assert await subject.events() == []


async def test_what_does_not_begin_in_time_is_never_stored(subject: Subject) -> None:
    """TIMEOUT, while the log hangs with the event before it; that one has begun, and is waited for."""
    first, late, patient = _event("1"), _event("2"), _event("3")
    begun = await subject.hang(first)
    waiting = asyncio.create_task(subject.log.append(patient))
    with pytest.raises(ClarionError) as refused:
        await subject.log.append(late, within=_SOON_S)
    assert refused.value.code is Code.TIMEOUT
    assert not begun.done()
    subject.resume()
    assert [await begun, await waiting] == [Appended(first.id), Appended(patient.id)]
    assert {event.id for event in await subject.events()} == {first.id, patient.id}
