"""parts.Aside: what waits is set aside while there is room, and counts again when it is taken back."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from runtime import nats
from runtime.parts import Aside
from runtime.pulling import Held
from tests.fakes.runtime import Room
from tests.integration.runtime.messages import messages, puller
from tests.waiting import end, eventually

_PLACES = 2


@pytest.fixture
async def real(connection: Client) -> AsyncIterator[list[Held]]:
    """Four messages of a stream, of which two may be set aside."""
    await nats.StreamPublisher(connection, deadline=60).publish_all(messages(4))
    pulled = puller(connection, max_held=4, max_aside=_PLACES)
    held: list[Held] = []

    async def collect() -> None:
        async for batch in pulled.batches():
            held.extend(batch)

    task = asyncio.create_task(collect())
    try:
        await eventually(lambda: len(held) == 4)
        yield held
    finally:
        await end(task)


@pytest.fixture(params=["fake", "real"])
def four(request: pytest.FixtureRequest) -> list[Aside]:
    """Four that share two places."""
    if request.param == "fake":
        places: list[str] = []
        return [Room(places, _PLACES, str(number)) for number in range(4)]
    return list(request.getfixturevalue("real"))


async def test_as_many_are_set_aside_as_there_is_room_for(four: list[Aside]) -> None:
    """The others keep their place; one that is aside already is."""
    assert [one.set_aside() for one in four] == [True, True, False, False]
    assert [one.set_aside() for one in four] == [True, True, False, False]


async def test_one_that_is_taken_back_makes_room(four: list[Aside]) -> None:
    """For one other, however often it is taken back; one that was not aside makes none."""
    assert [one.set_aside() for one in four[:3]] == [True, True, False]
    for _ in range(2):
        four[0].take_back()
    four[3].take_back()
    assert [one.set_aside() for one in four[2:]] == [True, False]
