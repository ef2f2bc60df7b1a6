"""Rates and slots of WebSockets, with a clock of the test's own."""

import pytest

from gateway.websocket.endings import CONNECTION_LIMIT, FULL
from gateway.websocket.slots import SILENCE_S, ConnectionSlot, ConnectionSlots, FullError, SlotLimits
from gateway.websocket.token_bucket import TokenBucket
from gateway.websocket.users import SUBSCRIBES_BURST, Users


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


LIMITS = SlotLimits(connected=3, per_address=2, per_user=2, waiting=4, waiting_per_address=3)


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


def silent(slots: ConnectionSlots, address: str) -> ConnectionSlot:
    """Return the slot of a browser that has said nothing yet."""
    slot = slots.enter(address)
    slots.listen(slot)
    return slot


def admitted(slots: ConnectionSlots, address: str, principal: str) -> ConnectionSlot:
    """Return the slot of a browser that the hub has welcomed."""
    slot = silent(slots, address)
    slots.heard(slot)
    assert slots.admit(slot, principal) is None
    return slot


def test_a_bucket_gives_a_burst_and_then_so_many_a_second(clock: Clock) -> None:
    """And never saves up more than the burst."""
    bucket = TokenBucket(3, 2.0, now=clock)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock.now += 1
    assert not bucket.take(3)
    assert bucket.take(2)
    clock.now += 3600
    assert bucket.is_full
    assert not bucket.take(4)
    assert bucket.take(3)


def test_limits_leave_room_for_others() -> None:
    """Half for one address, a tenth besides for those that wait, an eighth of that for one address."""
    assert SlotLimits.of(connected=10_000, per_address=1000, per_user=32) == SlotLimits(10_000, 1000, 32, 1000, 125)
    assert SlotLimits.of(connected=300, per_address=1000, per_user=32) == SlotLimits(300, 150, 32, 30, 4)
    assert SlotLimits.of(connected=300, per_address=0, per_user=32).per_address == 300
    assert SlotLimits.of(connected=1, per_address=1000, per_user=32) == SlotLimits(1, 1, 32, 16, 4)


async def test_those_that_wait_take_no_place_of_others(clock: Clock) -> None:
    """All waiting slots are taken, and each of the connected ones can still be filled."""
    slots = ConnectionSlots(LIMITS, now=clock)
    waiting = [silent(slots, f"a{number}") for number in range(LIMITS.waiting)]
    with pytest.raises(FullError) as caught:
        slots.enter("b")
    assert caught.value.status == 503
    slots.heard(waiting[0])
    assert slots.admit(waiting[0], "p1") is None
    slots.enter("b")


async def test_the_longest_silent_gives_way_after_a_second(clock: Clock) -> None:
    """And not one whose token is with the hub."""
    slots = ConnectionSlots(LIMITS, now=clock)
    asking = silent(slots, "a")
    slots.heard(asking)
    others = [silent(slots, f"b{number}") for number in range(LIMITS.waiting - 1)]
    clock.now += SILENCE_S
    slots.enter("c")
    assert not asking.ended.done()
    assert [slot.ended.done() for slot in others] == [True, False, False]
    assert others[0].ended.result() == FULL
    slots.leave(others[0])


async def test_an_address_pushes_out_its_own_only(clock: Clock) -> None:
    """429 before the second is over, then the slot of its own longest silent one."""
    slots = ConnectionSlots(LIMITS, now=clock)
    other = silent(slots, "b")
    own = [silent(slots, "a") for _ in range(LIMITS.waiting_per_address)]
    with pytest.raises(FullError) as caught:
        slots.enter("a")
    assert caught.value.status == 429
    clock.now += SILENCE_S
    slots.enter("a")
    assert (other.ended.done(), own[0].ended.done()) == (False, True)


async def test_users_addresses_and_all_together_are_bounded(clock: Clock) -> None:
    """Each gets its own answer, and room again when one leaves."""
    slots = ConnectionSlots(LIMITS, now=clock)
    first, _ = admitted(slots, "a", "p1"), admitted(slots, "b", "p1")
    third = silent(slots, "c")
    assert slots.admit(third, "p1") == CONNECTION_LIMIT
    slots.leave(third)
    racing = silent(slots, "a"), silent(slots, "a")
    assert slots.admit(racing[0], "p2") is None
    assert slots.admit(racing[1], "p3") == FULL
    for address, status in (("a", 503), ("d", 503)):
        with pytest.raises(FullError) as caught:
            slots.enter(address)
        assert caught.value.status == status
    slots.leave(racing[1])
    slots.leave(first)
    admitted(slots, "d", "p1")


async def test_nothing_is_kept_of_those_that_left(clock: Clock) -> None:
    """Whether they waited, were pushed out or were connected: all counts are back at nothing."""
    slots = ConnectionSlots(LIMITS, now=clock)
    for _ in range(1000):
        gone = [silent(slots, "a"), admitted(slots, "b", "p1")]
        for slot in gone:
            slots.leave(slot)
    assert (slots._connected, len(slots._waiting), len(slots._silent)) == (0, 0, 0)
    assert (dict(slots._connected_of), dict(slots._waiting_of)) == ({}, {})


def test_a_user_who_comes_back_has_no_new_burst(clock: Clock) -> None:
    """Only what was refilled meanwhile; whose rate is whole is not remembered."""
    users = Users(now=clock)
    assert users.join("p1").subscribes.take(SUBSCRIBES_BURST)
    users.leave("p1")
    assert not users.join("p1").subscribes.take(1)
    users.leave("p1")
    clock.now += 3600
    users.join("p1")
    users.leave("p1")
    assert not users._gone


def test_of_users_who_left_so_many_are_remembered(clock: Clock) -> None:
    """The longest gone is forgotten."""
    users = Users(max_gone=2, now=clock)
    for number in range(5):
        users.join(f"p{number}").subscribes.take(100)
        users.leave(f"p{number}")
    assert list(users._gone) == ["p3", "p4"]
