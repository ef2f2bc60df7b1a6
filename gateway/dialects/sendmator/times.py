"""Times in requests and answers: ISO 8601 in, milliseconds of UTC out. Pure."""

import re
from datetime import UTC, datetime, timedelta

# What JavaScript's Date and most languages write: a date, or a time with or without seconds, a fraction and a zone.
_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}(?::?\d{2})?)?)?", re.IGNORECASE
)
# Python reads at most microseconds.
_FINE = re.compile(r"([.,]\d{6})\d+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(text: str) -> int | None:
    """Return a time as Unix microseconds, None if it is none. Without a zone it is UTC, and a date is its midnight."""
    if not _ISO.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(_FINE.sub(r"\1", text.upper()))
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return (found - _EPOCH) // timedelta(microseconds=1)


def iso(at_us: int) -> str | None:
    """Return Unix microseconds as answers show times, to the millisecond; None for 0."""
    if not at_us:
        return None
    moment = _EPOCH + timedelta(microseconds=at_us)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
