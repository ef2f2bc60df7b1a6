"""A token bucket: a burst at once, then a number per second."""

import time
from collections.abc import Callable

Now = Callable[[], float]


class TokenBucket:
    """A token bucket that starts full."""

    __slots__ = ("_at", "_burst", "_left", "_now", "_per_second")

    def __init__(self, burst: float, per_second: float, *, now: Now = time.monotonic) -> None:
        self._burst = burst
        self._per_second = per_second
        self._now = now
        self._left = burst
        self._at = now()

    def take(self, amount: int = 1) -> bool:
        """Take amount tokens if there are enough, and return whether there were."""
        self._fill()
        if self._left < amount:
            return False
        self._left -= amount
        return True

    @property
    def is_full(self) -> bool:
        """Whether the bucket is full, like a new one."""
        self._fill()
        return self._left >= self._burst

    def _fill(self) -> None:
        now = self._now()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
