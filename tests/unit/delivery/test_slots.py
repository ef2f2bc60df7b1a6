"""Who gets a slot, who waits, who is sent away."""

import asyncio

import pytest

from services.delivery import slots
from services.delivery.slots import Slots


async def test_a_name_has_its_own_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that holds all of its slots takes none of another's."""
    monkeypatch.setattr(slots, "ALIVE_S", -1.0)
    bound = Slots(2)
    assert [await bound.enter("hung") for _ in range(4)] == [True, True, False, False]
    assert await bound.enter("other")


async def test_where_slots_come_free_one_waits_its_turn() -> None:
    """In the order in which they came."""
    bound = Slots(2)
    assert await bound.enter("busy")
    assert await bound.enter("busy")
    bound.leave("busy")
    assert await bound.enter("busy")
    first, second = (asyncio.create_task(bound.enter("busy")) for _ in range(2))
    await asyncio.sleep(0)
    bound.leave("busy")
    assert await first
    assert not second.done()
    bound.leave("busy")
    assert await second


async def test_waiting_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A waiter that gets no slot in time is removed."""
    monkeypatch.setattr(slots, "PATIENCE_S", 0.01)
    bound = Slots(2)
    for _ in range(3):
        assert await bound.enter("busy")
        bound.leave("busy")
    assert await bound.enter("busy")
    assert await bound.enter("busy")
    bound.leave("busy")
    assert await bound.enter("busy")
    assert await bound.enter("busy") is False
    bound.leave("busy")
    bound.leave("busy")
    assert [await bound.enter("busy") for _ in range(2)] == [True, True]


async def test_nobody_is_remembered() -> None:
    """Names come and go with tenants."""
    bound = Slots(1)
    assert await bound.enter("once")
    bound.leave("once")
    assert bound._slots == {}


async def test_a_slot_holds_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that hangs holds only its own share of all bytes; a name without a body can always hold one."""
    monkeypatch.setattr(slots, "ALIVE_S", -1.0)
    bound = Slots(10, slot_bytes=100, all_bytes=150)
    assert [await bound.enter("hung", 60) for _ in range(2)] == [True, False]
    assert await bound.enter("hung", 40)
    assert await bound.enter("hung")
    assert await bound.enter("other", 90)
    assert await bound.enter("other", 5) is False
    bound.leave("hung", 60)
    assert await bound.enter("other", 5)


async def test_the_next_body_waits_for_room() -> None:
    """Its turn comes when enough has been freed for it."""
    bound = Slots(10, slot_bytes=100)
    assert await bound.enter("busy", 50)
    assert await bound.enter("busy", 50)
    large = asyncio.create_task(bound.enter("busy", 80))
    await asyncio.sleep(0)
    bound.leave("busy", 50)
    await asyncio.sleep(0)
    assert not large.done()
    bound.leave("busy", 50)
    assert await large
    bound.leave("busy", 80)
    assert bound._slots == {}
