"""The X-RateLimit headers."""

from clarion.common.v1 import error_pb2
from gateway.dialects.sendmator.limits import headers

NOW_US = 1_640_991_600_000_000


def state(window_s: int, bound: int, remaining: int, reset_s: int = 10) -> error_pb2.LimitState:
    """Return what is left of a limit."""
    return error_pb2.LimitState(window_s=window_s, bound=bound, remaining=remaining, reset_s=reset_s)


def test_the_reset_is_a_time_in_seconds() -> None:
    """As the published example has it: Unix time, not a number of seconds to wait."""
    assert headers([state(3_600, 10_000, 9_999, 3_600)], NOW_US) == {
        "X-RateLimit-Limit": "10000",
        "X-RateLimit-Remaining": "9999",
        "X-RateLimit-Reset": "1640995200",
    }


def test_the_hourly_limit_with_the_least_left_is_shown() -> None:
    """Of the account and the key."""
    shown = headers([state(60, 5, 1), state(3_600, 1_000, 500), state(3_600, 100, 7), state(0, 9, 0)], NOW_US)
    assert (shown["X-RateLimit-Limit"], shown["X-RateLimit-Remaining"]) == ("100", "7")


def test_without_an_hourly_limit_another_rate_is_shown() -> None:
    """One that is spent has nothing left, not less."""
    shown = headers([state(60, 5, -2), state(86_400, 100, 50)], NOW_US)
    assert (shown["X-RateLimit-Limit"], shown["X-RateLimit-Remaining"]) == ("5", "0")


def test_without_a_rate_there_are_no_headers() -> None:
    """What may be unfinished at a time is no rate."""
    assert headers([state(0, 100, 99)], NOW_US) == {}
