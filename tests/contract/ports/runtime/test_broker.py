"""What publishing and pulling use of NATS: the server in memory behaves as a real one."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from runtime import nats, pulling
from runtime.errors import ClarionError, Code
from services.domain import topology
from tests.fakes.nats import MemoryBroker
from tests.integration.runtime.messages import messages, puller
from tests.waiting import end, eventually


@dataclass
class Subject:
    """A connection, and the world around it."""

    connection: Any
    # The payloads of EVENTS, oldest first.
    stored: Callable[[], Awaitable[list[bytes]]]
    go_away: Callable[[], None]
    fill: Callable[[], Awaitable[None]]

    def publisher(self) -> nats.StreamPublisher:
        """Return one that gives up soon."""
        return nats.StreamPublisher(self.connection, deadline=3.0)


def _fake() -> Subject:
    broker = MemoryBroker()

    async def stored() -> list[bytes]:
        return [one.payload for one in broker.messages(topology.EVENTS)]

    def go_away() -> None:
        broker.is_connected = False

    async def fill() -> None:
        broker.full.add(topology.EVENTS)

    return Subject(broker, stored, go_away, fill)


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each implementation."""
    if request.param == "fake":
        return _fake()
    streams, server = request.getfixturevalue("streams"), request.getfixturevalue("nats_server")

    async def stored() -> list[bytes]:
        found: list[bytes] = await streams.messages(topology.EVENTS)
        return found

    async def fill() -> None:
        await streams.refuse(topology.EVENTS)

    return Subject(request.getfixturevalue("connection"), stored, server.kill, fill)


def _payloads(count: int) -> list[bytes]:
    return [message.payload for message in messages(count)]


@pytest.mark.parametrize("count", [3, 40])
async def test_each_id_is_stored_once(subject: Subject, count: int) -> None:
    """Singly and in an atomic batch: a repeat names the sequence of the first, and its neighbours are stored."""
    publisher = subject.publisher()
    first = await publisher.publish(messages(1)[0])
    answers = await publisher.publish_all(messages(count))
    assert (first.duplicate, [answer.duplicate for answer in answers]) == (False, [True] + [False] * (count - 1))
    assert sorted(await subject.stored()) == sorted(_payloads(count))
    [again] = await publisher.publish_all(messages(1))
    assert again == nats.PublishAck(first.sequence, duplicate=True)


@pytest.mark.parametrize("count", [1, 40])
async def test_a_full_stream_takes_nothing(subject: Subject, count: int) -> None:
    """OVERLOADED."""
    await subject.fill()
    with pytest.raises(ClarionError) as refused:
        await subject.publisher().publish_all(messages(count))
    assert refused.value.code is Code.OVERLOADED
    assert await subject.stored() == []


async def test_a_server_that_is_away(subject: Subject) -> None:
    """UNAVAILABLE."""
    subject.go_away()
    with pytest.raises(ClarionError) as away:
        await nats.StreamPublisher(subject.connection, deadline=0.5).publish(messages(1)[0])
    assert away.value.code is Code.UNAVAILABLE


async def test_what_is_acknowledged_does_not_come_again(subject: Subject) -> None:
    """What was handed out and not acknowledged is in hand; what was not handed out goes to the next puller."""
    await subject.publisher().publish_all(messages(10))
    first, held = puller(subject.connection, max_held=4), list[pulling.Held]()
    task = asyncio.create_task(_collect(first, held))
    await eventually(lambda: len(held) == 4)
    assert [message.data for message in held] == _payloads(10)[:4]
    assert {message.deliveries for message in held} == {1}
    first.stop()
    for message in held:
        await message.ack()
    await task
    second, later = puller(subject.connection, max_held=20), list[pulling.Held]()
    task = asyncio.create_task(_collect(second, later))
    await eventually(lambda: len(later) == 6)
    assert sorted(message.data for message in later) == _payloads(10)[4:]
    await end(task)


async def _collect(pulled: pulling.Puller, held: list[pulling.Held]) -> None:
    async for batch in pulled.batches():
        held.extend(batch)
