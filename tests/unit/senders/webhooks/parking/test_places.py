"""What tenants may have of a process."""

import asyncio
from contextlib import AsyncExitStack

from services.senders.webhooks.parking.places import Places, Shares
from tests.waiting import end, eventually


def _filled(shares: Shares, tenant_id: str) -> int:
    """Give a tenant all that it may have; return how many that are."""
    count = 0
    while not shares.is_full(tenant_id):
        for _ in range(shares.at_once):
            shares.add(tenant_id)
            count += 1
    return count


def test_four_tenants_do_not_take_every_turn() -> None:
    """Each has at most what is free then, and the next one still gets some."""
    shares = Shares(256, 64)
    counts = [_filled(shares, str(number)) for number in range(8)]
    assert counts[:3] == [64, 64, 64]
    assert all(0 < count <= 64 for count in counts)
    assert shares.free > 0
    assert set(shares.full()) >= {"0", "1", "2"}
    for _ in range(64):
        shares.remove("0")
    assert not shares.is_full("0")


def test_a_tenant_alone_has_its_bound() -> None:
    """And one turn at a time where there is hardly any room."""
    assert _filled(Shares(256, 64), "a") == 64
    assert _filled(Shares(1, 64), "a") == 1
    assert _filled(Shares(256, 2), "a") == 2


async def test_four_tenants_do_not_take_every_place() -> None:
    """What hangs of four tenants leaves places for a fifth one."""
    places = Places(16, 4)
    async with AsyncExitStack() as held:

        async def hold(tenant_id: str) -> None:
            async with places.of(tenant_id):
                await asyncio.Event().wait()

        tasks = [asyncio.create_task(hold(str(number % 4))) for number in range(40)]
        await asyncio.sleep(0)
        await asyncio.wait_for(held.enter_async_context(places.of("five")), 5)
        for task in tasks:
            await end(task)
    async with AsyncExitStack() as held:  # nothing was lost by those that were canceled while they waited
        for number in range(8):
            await asyncio.wait_for(held.enter_async_context(places.of(str(number // 4))), 5)


async def test_who_waits_gets_the_place_that_is_left() -> None:
    """In the order in which they came."""
    places, came = Places(8, 1), []
    leave = [asyncio.Event() for _ in range(3)]

    async def hold(number: int) -> None:
        async with places.of("a"):
            came.append(number)
            await leave[number].wait()

    tasks = [asyncio.create_task(hold(number)) for number in range(3)]
    for number in range(3):
        await eventually(lambda number=number: came == list(range(number + 1)), every=0)
        leave[number].set()
    await asyncio.gather(*tasks)
