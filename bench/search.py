"""The search for the highest rate that is held."""

# Nearer than this the two sides are the same to a machine with other work.
_NEAR = 1.08
_STEP = 1.35


def next_rate(tried: list[tuple[float, bool]]) -> float | None:
    """Return the next rate to try, given (rate, held) of the previous ones, or None at the end.

    Upwards by steps while all are held, downwards while none is, then halfway in between.
    """
    held = max((rate for rate, was_held in tried if was_held), default=None)
    too_much = min((rate for rate, was_held in tried if not was_held and rate > (held or 0.0)), default=None)
    if too_much is None:
        return None if held is None else held * _STEP
    if held is None:
        return too_much / _STEP
    if too_much / held < _NEAR:
        return None
    return (held + too_much) / 2
