"""Bounds for event ids by time: ids are UUIDv7, which begin with the time in milliseconds."""

import uuid


def lowest_id(at_us: int) -> str:
    """Return an id below all ids made at this time (Unix microseconds) or later; before 1970: below all."""
    return str(uuid.UUID(int=max(at_us // 1000, 0) << 80))
