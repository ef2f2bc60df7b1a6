"""The X-RateLimit headers: what is left of the limit that is the closest. Pure."""

from collections.abc import Iterable

from clarion.common.v1 import error_pb2


def headers(states: Iterable[error_pb2.LimitState]) -> dict[str, str]:
    """Return the headers for the rate of which the least is left; none if no rate is known.

    X-RateLimit-Reset: seconds until something of it is free again.
    """
    rates = [state for state in states if state.window_s]
    if not rates:
        return {}
    closest = min(rates, key=lambda state: (state.remaining, state.bound))
    return {
        "X-RateLimit-Limit": str(closest.bound),
        "X-RateLimit-Remaining": str(max(closest.remaining, 0)),
        "X-RateLimit-Reset": str(max(closest.reset_s, 0)),
    }
