"""How full the streams are, and what share of its budget of bytes each tenant has meanwhile: pure.

A budget alone does not bound what many tenants store together. So it shrinks while a stream is crowded: tenants with
much unfinished are refused first, and one with little is let in until the streams are all but full.
"""

# From this share of its bound on a stream is crowded; from the second one on, budgets are at their least.
CROWDED = 0.5
FULL = 0.9
LEAST_SHARE = 1 / 16


class Pressure:
    """What was last seen of each stream. Filled by the janitor, read by admission."""

    def __init__(self) -> None:
        self._fills: dict[str, float] = {}

    def record(self, stream: str, size: int, bound: int) -> None:
        """Note a stream's bytes and their bound; a bound of 0: there is none."""
        self._fills[stream] = size / bound if bound > 0 else 0.0

    @property
    def share(self) -> float:
        """The share of its budget that each tenant has, from LEAST_SHARE to 1."""
        return share_of(max(self._fills.values(), default=0.0))


def share_of(fill: float) -> float:
    """Return the share for the fullest stream's fill: 1 up to CROWDED, then less in a straight line."""
    left = (FULL - fill) / (FULL - CROWDED)
    return min(1.0, max(LEAST_SHARE, left))
