"""How fast what waits for an endpoint is sent: the slow start after it recovered, and its own rate limit. Pure."""

from dataclasses import dataclass

# Deliveries a second at the start of a slow start; they double every _DOUBLE_S seconds.
_START_PER_S = 4.0
_DOUBLE_S = 1.0


@dataclass(slots=True)
class SlowStart:
    """Sends a few at first, and twice as many each second, up to limit a second. now: seconds of a monotonic clock."""

    limit: float
    now: float
    _from: float = _START_PER_S
    _since: float = 0.0

    def __post_init__(self) -> None:
        self._since = self.now

    def per_s(self, now: float) -> float:
        """Return the deliveries a second that may be sent."""
        doublings = min((now - self._since) / _DOUBLE_S, 32.0)
        return min(self._from * float(2.0**doublings), self.limit)

    def is_over(self, now: float) -> bool:
        """Return whether the limit is reached: the endpoint has shown that it takes what comes."""
        return self.per_s(now) >= self.limit

    def slow_down(self, now: float) -> None:
        """Halve the rate, because an attempt failed."""
        self._from = max(self.per_s(now) / 2, min(1.0, self.limit))
        self._since = now


@dataclass(slots=True)
class Pacer:
    """Spaces deliveries evenly, with a burst of up to a tenth of a second's. next_at: seconds of a monotonic clock."""

    next_at: float = 0.0

    def wait_s(self, per_s: float, now: float) -> float:
        """Take the next place; return after how many seconds it is."""
        earliest = now - 0.1
        self.next_at = max(self.next_at, earliest) + 1 / per_s
        return max(0.0, self.next_at - now)


def at_once(per_s: float, most: int) -> int:
    """Return how many attempts may be under way: a slow start begins with few of them, too."""
    return max(1, min(most, int(per_s)))
