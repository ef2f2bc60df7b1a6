"""Work counted in function calls: a test of growth then says the same on a busy machine as on an idle one."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

# Four times the input may need so many times the calls: a quadratic algorithm needs sixteen times as many.
_GROWTH = 6
# Calls that any input needs, such as those of a first use.
_FIXED = 500


def count_calls(work: Callable[[], object], *, at_most: int = 50_000_000) -> int:
    """Return the number of calls, of Python and C functions, that work makes. Raises AssertionError past at_most."""
    calls = 0

    def count(_frame: FrameType, kind: str, called: Any) -> None:
        nonlocal calls
        if kind == "call" or (kind == "c_call" and called is not sys.setprofile):
            calls += 1
            if calls > at_most:
                raise AssertionError(f"more than {at_most} calls")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def assert_linear(work: Callable[[int], object], size: int = 4_000) -> None:
    """Check that work(4 * size) makes about four times the calls of work(size).

    What C code does within one call is not counted: a pattern that runs away there never ends, and the test is ended
    by its deadline.
    """
    small = count_calls(lambda: work(size))
    count_calls(lambda: work(4 * size), at_most=_GROWTH * small + _FIXED)
