"""Rates and places of WebSockets, with a clock of the test's own."""

import pytest

from gateway.websocket.bucket import Bucket
from gateway.websocket.endings import CONNECTION_LIMIT, FULL
from gateway.websocket.places import SILENCE_S, FullError, Limits, Place, Places
from gateway.websocket.users import SUBSCRIBES_BURST, Users


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


LIMITS = Limits(connected=3, per_address=2, per_user=2, waiting=4, waiting_per_address=3)


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


def silent(places: Places, address: str) -> Place:
    """Return the place of a browser that has said nothing yet."""
    place = places.enter(address)
    places.listen(place)
    return place


def admitted(places: Places, address: str, principal: str) -> Place:
    """Return the place of a browser that the hub has welcomed."""
    place = silent(places, address)
    places.heard(place)
    assert places.admit(place, principal) is None
    return place


def test_a_bucket_gives_a_burst_and_then_so_many_a_second(clock: Clock) -> None:
    """And never saves up more than the burst."""
    bucket = Bucket(3, 2.0, now=clock)
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
    assert Limits.of(connected=10_000, per_address=1000, per_user=32) == Limits(10_000, 1000, 32, 1000, 125)
    assert Limits.of(connected=300, per_address=1000, per_user=32) == Limits(300, 150, 32, 30, 4)
    assert Limits.of(connected=300, per_address=0, per_user=32).per_address == 300
    assert Limits.of(connected=1, per_address=1000, per_user=32) == Limits(1, 1, 32, 16, 4)


async def test_those_that_wait_take_no_place_of_others(clock: Clock) -> None:
    """All waiting places are taken, and each of the connected ones can still be filled."""
    places = Places(LIMITS, now=clock)
    waiting = [silent(places, f"a{number}") for number in range(LIMITS.waiting)]
    with pytest.raises(FullError) as caught:
        places.enter("b")
    assert caught.value.status == 503
    places.heard(waiting[0])
    assert places.admit(waiting[0], "p1") is None
    places.enter("b")


async def test_the_longest_silent_gives_way_after_a_second(clock: Clock) -> None:
    """And not one whose token is with the hub."""
    places = Places(LIMITS, now=clock)
    asking = silent(places, "a")
    places.heard(asking)
    others = [silent(places, f"b{number}") for number in range(LIMITS.waiting - 1)]
    clock.now += SILENCE_S
    places.enter("c")
    assert not asking.ended.done()
    assert [place.ended.done() for place in others] == [True, False, False]
    assert others[0].ended.result() == FULL
    places.leave(others[0])


async def test_an_address_pushes_out_its_own_only(clock: Clock) -> None:
    """429 before the second is over, then the place of its own longest silent one."""
    places = Places(LIMITS, now=clock)
    other = silent(places, "b")
    own = [silent(places, "a") for _ in range(LIMITS.waiting_per_address)]
    with pytest.raises(FullError) as caught:
        places.enter("a")
    assert caught.value.status == 429
    clock.now += SILENCE_S
    places.enter("a")
    assert (other.ended.done(), own[0].ended.done()) == (False, True)


async def test_users_addresses_and_all_together_are_bounded(clock: Clock) -> None:
    """Each gets its own answer, and room again when one leaves."""
    places = Places(LIMITS, now=clock)
    first, _ = admitted(places, "a", "p1"), admitted(places, "b", "p1")
    third = silent(places, "c")
    assert places.admit(third, "p1") == CONNECTION_LIMIT
    places.leave(third)
    racing = silent(places, "a"), silent(places, "a")
    assert places.admit(racing[0], "p2") is None
    assert places.admit(racing[1], "p3") == FULL
    for address, status in (("a", 503), ("d", 503)):
        with pytest.raises(FullError) as caught:
            places.enter(address)
        assert caught.value.status == status
    places.leave(racing[1])
    places.leave(first)
    admitted(places, "d", "p1")


async def test_nothing_is_kept_of_those_that_left(clock: Clock) -> None:
    """Whether they waited, were pushed out or were connected: all counts are back at nothing."""
    places = Places(LIMITS, now=clock)
    for _ in range(1000):
        gone = [silent(places, "a"), admitted(places, "b", "p1")]
        for place in gone:
            places.leave(place)
    assert (places._connected, len(places._waiting), len(places._silent)) == (0, 0, 0)
    assert (dict(places._connected_of), dict(places._waiting_of)) == ({}, {})


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
