"""Time, as a value that a test can replace."""

import time
from collections.abc import Callable

# Unix time in microseconds.
Clock = Callable[[], int]


def now_us() -> int:
    """Return the Unix time in microseconds."""
    return time.time_ns() // 1000
