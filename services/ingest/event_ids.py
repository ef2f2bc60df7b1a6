"""Bounds for event ids by time: ids are UUIDv7, which begin with the time in milliseconds."""

import uuid

# An id is made before its event is accepted: some milliseconds, and with a key that was pending up to a day. So ids
# only narrow what is read, and the time at which an event was accepted decides. Microseconds.
MADE_BEFORE_US = 86_400_000_000


def lowest_id(at_us: int) -> str:
    """Return an id below all ids made at this time (Unix microseconds) or later; before 1970: below all."""
    return str(uuid.UUID(int=max(at_us // 1000, 0) << 80))


def lowest_since(at_us: int) -> str:
    """Return an id below those of all events that were accepted at this time (Unix microseconds) or later."""
    return lowest_id(at_us - MADE_BEFORE_US)


def lowest_until(at_us: int) -> str:
    """Return an id above those of all events that were accepted before this time (Unix microseconds)."""
    return lowest_id(at_us + 1000)
