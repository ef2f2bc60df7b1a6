"""Large runs step aside while events to few people are about."""

import asyncio
from collections.abc import Sequence

import pytest

from services.router.pace import Pace


class _Ticks:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> _Ticks:
    """Return a clock that stands still."""
    return _Ticks()


@pytest.fixture
def pace(ticks: _Ticks) -> Pace:
    """Return the pace of one process."""
    return Pace(ticks=ticks)


async def _sent(pace: Pace, count: int, took_s: Sequence[float] = (), ticks: _Ticks | None = None) -> list[int]:
    """Send items; return how many went in each part. took_s: how long each part takes, by the clock."""
    parts: list[int] = []

    async def send(part: Sequence[int]) -> None:
        if ticks is not None and len(parts) < len(took_s):
            ticks.now += took_s[len(parts)]
        parts.append(len(part))

    await pace.send(range(count), send)
    return parts


async def test_alone(pace: Pace, ticks: _Ticks) -> None:
    """Everything goes at once; so it does when the others were seen long ago."""
    assert await _sent(pace, 500) == [500]
    pace.saw_others()
    ticks.now += 6.0
    assert await _sent(pace, 500) == [500]


async def test_while_others_are_about(pace: Pace) -> None:
    """A few go at a time."""
    pace.saw_others()
    assert await _sent(pace, 11) == [3, 3, 3, 2]


async def test_workflow_runs(pace: Pace) -> None:
    """Several go on at a time; alone all do."""
    parts: list[int] = []

    async def go_on(part: Sequence[int]) -> None:
        parts.append(len(part))

    await pace.go_on(range(20), go_on)
    pace.saw_others()
    await pace.go_on(range(20), go_on)
    assert parts == [20, 6, 6, 6, 2]


async def test_others_who_leave(pace: Pace, ticks: _Ticks) -> None:
    """What is left goes at once."""
    pace.saw_others()
    assert await _sent(pace, 500, [1.0, 4.5], ticks) == [3, 3, 494]


async def test_what_takes_too_long(pace: Pace, ticks: _Ticks) -> None:
    """A slow broker does not make a page last longer than its lease: it goes on at once then."""
    parts: list[int] = []

    async def send(part: Sequence[int]) -> None:
        parts.append(len(part))
        pace.saw_others()
        ticks.now += 3.0

    pace.saw_others()
    await pace.send(range(100), send)
    assert parts == [3, 3, 3, 3, 88]


async def test_large_runs_take_turns(pace: Pace) -> None:
    """However many there are, one part is under way at a time."""
    pace.saw_others()
    under_way, most = 0, 0

    async def send(_: Sequence[int]) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1

    await asyncio.gather(*(pace.send(range(20), send) for _ in range(3)))
    assert most == 1


async def test_a_part_that_fails(pace: Pace) -> None:
    """Its failure is raised, nothing after it is sent, and others have their turn."""
    pace.saw_others()

    async def send(part: Sequence[int]) -> None:
        if 3 in part:
            raise ValueError("away")

    with pytest.raises(ValueError, match="away"):
        await pace.send(range(20), send)
    assert await _sent(pace, 3) == [3]


async def test_planning(pace: Pace) -> None:
    """Others may work after every few people; all are planned, in order."""
    for seen, most in ((False, 50), (True, 1)):
        if seen:
            pace.saw_others()
        parts: list[Sequence[int]] = []
        await pace.plan(range(120), parts.append)
        assert [one for part in parts for one in part] == list(range(120))
        assert max(map(len, parts)) == most
