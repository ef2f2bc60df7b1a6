"""Room for further tasks."""

import asyncio

from services.router.runs.under_way import UnderWay

LONG_S = 60.0


def _task(until: asyncio.Event) -> "asyncio.Task[None]":
    async def work() -> None:
        await until.wait()

    return asyncio.create_task(work())


async def test_there_is_room_beside_a_few() -> None:
    """Nobody waits for as many as may be under way."""
    never = asyncio.Event()
    under_way = UnderWay(2)
    tasks = [_task(never), _task(never)]
    under_way.add(tasks)
    async with asyncio.timeout(LONG_S / 2):
        await under_way.room(LONG_S)
    assert len(under_way) == 2
    never.set()
    await under_way.end()


async def test_many_are_waited_for() -> None:
    """Until no more than these are left."""
    first, second = asyncio.Event(), asyncio.Event()
    under_way = UnderWay(1)
    under_way.add([_task(first), _task(second)])
    waiting = asyncio.create_task(under_way.room(LONG_S))
    await asyncio.sleep(0)
    assert not waiting.done()
    first.set()
    async with asyncio.timeout(LONG_S / 2):
        await waiting
    assert len(under_way) == 1
    second.set()
    await under_way.end()
    assert len(under_way) == 0


async def test_slow_ones_do_not_hold_up_the_rest() -> None:
    """They are waited for only so long."""
    never = asyncio.Event()
    under_way = UnderWay(0)
    under_way.add([_task(never)])
    await under_way.room(0.001)
    assert len(under_way) == 1
    never.set()
    await under_way.end()
