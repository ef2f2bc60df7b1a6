"""How full the streams are, and the share of its budget of bytes that each tenant has at the moment: pure.

Budgets alone do not bound what many tenants store together. So all budgets shrink while a stream is crowded: tenants
with much unfinished are refused first, and one with little is admitted until the streams are almost full.
"""

# Shares of a stream's bound: from the first one on budgets shrink, at the second one they reach LEAST_SHARE.
CROWDED = 0.5
FULL = 0.9
LEAST_SHARE = 1 / 16


class Pressure:
    """The last known fill of each stream. The janitor records it, admission reads it."""

    def __init__(self) -> None:
        self._fills: dict[str, float] = {}

    def record(self, stream: str, size: int, bound: int) -> None:
        """Record a stream's bytes and their bound; 0: it has none."""
        self._fills[stream] = size / bound if bound > 0 else 0.0

    @property
    def share(self) -> float:
        """The share of its budget that each tenant has at the moment, from LEAST_SHARE to 1."""
        return share_of(max(self._fills.values(), default=0.0))


def share_of(fill: float) -> float:
    """Return the share for the fullest stream's fill: 1 up to CROWDED, then falling linearly."""
    left = (FULL - fill) / (FULL - CROWDED)
    return min(1.0, max(LEAST_SHARE, left))
