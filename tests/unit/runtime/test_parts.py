"""Waiting for an unavailable part: no work is lost, none runs meanwhile, and all of it continues afterwards."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from prometheus_client import REGISTRY

from runtime import parts
from runtime.errors import ClarionError, Code
from runtime.parts import CannotWait, OwnParts, PartAway
from tests.fakes.runtime import Room
from tests.waiting import eventually


@dataclass
class Server:
    """A part. asked: the number of calls. refuses: work that it never answers."""

    away: bool = True
    asked: int = 0
    done: list[str] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)

    async def take(self, name: str) -> str:
        """Answer, or be unavailable."""
        self.asked += 1
        await asyncio.sleep(0)
        if self.away or name in self.refuses:
            raise ClarionError(Code.UNAVAILABLE, "away")
        self.done.append(name)
        return name


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the pauses very short."""
    monkeypatch.setattr(parts, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(parts, "LONGEST_PAUSE_S", 0.005)
    monkeypatch.setattr(parts, "_STEP_S", 0.001)


def _work(own: OwnParts, server: Server, name: str, part: str = "store") -> Callable[[], Awaitable[str]]:
    return lambda: own.ask(part, lambda: server.take(name))


def _start(own: OwnParts, server: Server, name: str) -> "asyncio.Task[str]":
    return asyncio.create_task(own.until_answered(_work(own, server, name)))


async def test_all_work_waits_and_continues() -> None:
    """A thousand calls find the part unavailable; when it is back, each is done once."""
    own, server = OwnParts(), Server()
    tasks = [_start(own, server, str(number)) for number in range(1000)]
    await eventually(lambda: own.is_away("store") and server.asked > 1010)
    assert server.done == []
    server.away = False
    assert await asyncio.wait_for(asyncio.gather(*tasks), 30) == [str(number) for number in range(1000)]
    assert len(server.done) == 1000
    assert not own.is_away("store")


async def test_one_waiter_at_a_time_tries_the_part() -> None:
    """A hundred wait and more arrive, but only the one whose turn it is calls the part."""
    own, server = OwnParts(), Server()
    first = _start(own, server, "first")
    await eventually(lambda: own.is_away("store"))
    asked = server.asked
    rest = [_start(own, server, str(number)) for number in range(100)]
    await eventually(lambda: server.asked >= asked + 20)
    # Each was told at once; had they asked, it would be a hundred more.
    assert server.asked < asked + 100
    server.away = False
    await asyncio.wait_for(asyncio.gather(first, *rest), 30)


async def test_work_that_needs_another_part_continues() -> None:
    """Parts are independent of each other."""
    own, server, other = OwnParts(), Server(), Server(away=False)
    waiting = _start(own, server, "one")
    await eventually(lambda: own.is_away("store"))
    assert await own.until_answered(_work(own, other, "two", part="render")) == "two"
    assert not waiting.done()
    assert own.is_away("store")
    assert not own.is_away("render")
    server.away = False
    await asyncio.wait_for(waiting, 30)


async def test_a_refusal_is_an_answer() -> None:
    """Only UNAVAILABLE means that the part does not answer."""
    own = OwnParts()

    async def refuse() -> None:
        raise ClarionError(Code.INVALID, "no")

    with pytest.raises(ClarionError, match="no"):
        await own.until_answered(lambda: own.ask("store", refuse))
    assert not own.is_away("store")


async def test_work_that_is_never_answered_does_not_block_others() -> None:
    """It fails in the end, and all others are answered meanwhile."""
    own, server = OwnParts(), Server(away=False, refuses={"poison"})
    poison = _start(own, server, "poison")
    number = 0
    while not poison.done():
        number += 1
        await asyncio.wait_for(own.until_answered(_work(own, server, str(number))), 30)
        await asyncio.sleep(0)
    with pytest.raises(CannotWait):
        await poison
    assert len(server.done) == number


async def test_a_caller_may_try_when_nobody_waits() -> None:
    """The call that found the part unavailable has ended: a later one must find out that it is back."""
    own, server = OwnParts(), Server()
    gone = _start(own, server, "gone")
    await eventually(lambda: own.is_away("store"))
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    server.away = False
    assert await asyncio.wait_for(own.until_answered(_work(own, server, "next")), 30) == "next"
    assert not own.is_away("store")


async def test_callers_that_never_wait_find_the_part_again() -> None:
    """Each fails at once while the part is unavailable; one of the calls after that finds it back."""
    own, server = OwnParts(), Server()

    async def is_answered() -> bool:
        try:
            await asyncio.create_task(own.ask("store", lambda: server.take("one")))  # a task of its own, as a call is
        except PartAway:
            return False
        return True

    for _ in range(3):
        assert not await is_answered()
    assert own.is_away("store")
    server.away = False
    await eventually(is_answered)
    assert not own.is_away("store")


async def test_waiting_work_is_set_aside_while_there_is_room() -> None:
    """Without room, work that must be set aside fails at once, other work waits; places are returned."""
    own, server = OwnParts(), Server()
    places: list[str] = []

    def start(name: str, only_aside: tuple[str, ...] = ()) -> "asyncio.Task[str]":
        room = Room(places, 2, name)
        return asyncio.create_task(own.until_answered(_work(own, server, name), aside=room, only_aside=only_aside))

    first, second = start("1"), start("2")
    await eventually(lambda: len(places) == 2)
    third = start("3")
    with pytest.raises(CannotWait):
        await asyncio.wait_for(start("4", ("store",)), 30)
    server.away = False
    assert list(await asyncio.wait_for(asyncio.gather(first, second, third), 30)) == ["1", "2", "3"]
    assert places == []


async def test_stopping_ends_all_waiting() -> None:
    """Waiting work fails with PartAway, and later work does not wait."""
    own, server = OwnParts(), Server()
    waiting = [_start(own, server, str(number)) for number in range(3)]
    await eventually(lambda: own.is_away("store"))
    own.stop()
    results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 30)
    assert {type(result) for result in results} == {PartAway}
    with pytest.raises(PartAway):
        await asyncio.wait_for(_start(own, server, "late"), 30)


async def test_an_outage_is_counted_and_logged_once(capsys: pytest.CaptureFixture[str]) -> None:
    """One line when the part becomes unavailable and one when it is back, however many calls wait."""
    own, server = OwnParts(), Server()
    before = REGISTRY.get_sample_value("clarion_part_outages_total", {"part": "counted"}) or 0.0
    tasks = [asyncio.create_task(own.until_answered(_work(own, server, str(n), part="counted"))) for n in range(50)]
    await eventually(lambda: server.asked > 60)
    assert REGISTRY.get_sample_value("clarion_part_away", {"part": "counted"}) == 1
    server.away = False
    await asyncio.wait_for(asyncio.gather(*tasks), 30)
    assert REGISTRY.get_sample_value("clarion_part_away", {"part": "counted"}) == 0
    assert REGISTRY.get_sample_value("clarion_part_outages_total", {"part": "counted"}) == before + 1
