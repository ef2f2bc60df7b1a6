"""The current time, as a function that a test can replace."""

import time
from collections.abc import Callable
from datetime import datetime

# Unix time in microseconds.
Clock = Callable[[], int]


def now_us() -> int:
    """Return the Unix time in microseconds."""
    return time.time_ns() // 1000


def micros_of(moment: datetime) -> int:
    """Return a moment, aware of its zone, as Unix microseconds."""
    return round(moment.timestamp() * 1_000_000)
