"""How much a consumer is asked for, as plain values."""

from runtime.pull_window import EXPIRES_S, Pull, PullWindow

MIB = 1024 * 1024


def _window(*, max_held: int = 8, max_held_bytes: int = 8 * MIB, max_aside: int = 2) -> PullWindow:
    return PullWindow(
        ["first", "second"], max_held=max_held, max_held_bytes=max_held_bytes, max_aside=max_aside, max_aside_bytes=100
    )


def _receive(window: PullWindow, index: int, *sizes: int) -> None:
    for size in sizes:
        window.received(window.requests[index], size)
        window.hold(size)


def test_an_empty_window_requests_all_it_may_hold() -> None:
    """The first request is for every place, and for half of the bytes; nothing is requested twice."""
    window = _window()
    assert window.next_pull(0.0) == Pull("first", 8, 4 * MIB)
    assert window.next_pull(0.0) is None


def test_the_second_request_waits_until_half_of_the_places_are_free() -> None:
    """What is in hand and what is outstanding count together; the other request is used while the first one is open."""
    window = _window()
    window.next_pull(0.0)
    _receive(window, 0, 10, 10, 10, 10, 10)
    window.let_go(10)
    window.let_go(10)
    window.let_go(10)
    assert window.next_pull(0.0) is None  # 2 in hand, 3 outstanding: room for 3
    window.let_go(10)
    assert window.next_pull(0.0) == Pull("second", 4, 4 * MIB)


def test_nothing_is_requested_while_a_message_may_not_fit() -> None:
    """With less than the largest message left, no request is made; acking something makes the window ask again."""
    window = _window(max_held=100)
    window.next_pull(0.0)
    _receive(window, 0, 4 * MIB, 3 * MIB + 1)
    window.ended(window.requests[0], left=98, left_bytes=0)
    assert window.next_pull(0.0) is None
    assert window.has_room
    window.let_go(4 * MIB)
    assert window.next_pull(0.0) == Pull("first", 99, 4 * MIB)


def test_a_request_that_ends_early_gives_its_places_back() -> None:
    """What the server says is left of it is requested again."""
    window = _window()
    window.next_pull(0.0)
    _receive(window, 0, 10, 10)
    assert window.ended(window.requests[0], left=6, left_bytes=None) == 2
    assert window.next_pull(0.0) == Pull("first", 6, 4 * MIB)


def test_used_up_bytes_end_a_request_whatever_is_left_of_it() -> None:
    """A request whose bytes are used up brings nothing more, though the server still counts messages for it."""
    window = _window()
    window.next_pull(0.0)
    _receive(window, 0, 4 * MIB)
    assert window.ended(window.requests[0], left=0, left_bytes=0) == 1
    assert window.requests[0].messages == 0


def test_a_message_too_large_for_any_request_is_requested_alone() -> None:
    """Only where the request brought nothing before it; the request after that one is an ordinary one."""
    window = _window()
    window.next_pull(0.0)
    _receive(window, 0, 10)
    window.message_was_too_large(brought=window.ended(window.requests[0], left=7, left_bytes=None))
    assert window.next_pull(0.0) == Pull("first", 7, 4 * MIB)
    window.message_was_too_large(brought=window.ended(window.requests[0], left=7, left_bytes=None))
    assert window.next_pull(0.0) == Pull("first", 1, None)
    _receive(window, 0, 6 * MIB)
    window.let_go(6 * MIB)
    assert window.next_pull(0.0) == Pull("first", 7, 4 * MIB)


def test_an_overdue_request_is_forgotten() -> None:
    """The server was silent until after its time: its places are requested again, two seconds later."""
    window = _window()
    window.next_pull(100.0)
    window.expire(100.0 + EXPIRES_S + 1.9, reconnected=False)
    assert window.next_pull(112.0) is None
    window.expire(100.0 + EXPIRES_S + 2.1, reconnected=False)
    assert window.next_pull(112.1) == Pull("first", 8, 4 * MIB)


def test_a_reconnect_forgets_all_requests() -> None:
    """Another server knows nothing of them."""
    window = _window()
    window.next_pull(0.0)
    window.expire(0.1, reconnected=True)
    assert window.next_pull(0.1) == Pull("first", 8, 4 * MIB)


def test_what_is_set_aside_makes_room() -> None:
    """Up to a number and up to so many bytes; taken back, it counts again."""
    window = _window()
    window.next_pull(0.0)
    _receive(window, 0, *[40] * 8)
    assert [window.set_aside(40) for _ in range(3)] == [True, True, False]
    assert (window.held, window.held_bytes, window.aside, window.aside_bytes) == (6, 240, 2, 80)
    assert window.next_pull(0.0) == Pull("first", 2, 4 * MIB)
    window.take_back(40)
    assert not window.set_aside(61)
    assert (window.held, window.aside, window.aside_bytes) == (7, 1, 40)


def test_there_is_room_when_half_has_been_acked() -> None:
    """A request for every ack would cost more than it brings."""
    window = _window()
    window.next_pull(0.0)
    _receive(window, 0, *[1] * 8)
    for _ in range(3):
        window.let_go(1)
    assert not window.has_room
    window.let_go(1)
    assert window.has_room
