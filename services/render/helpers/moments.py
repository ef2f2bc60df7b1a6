"""Reads a day or a moment: ISO 8601, RFC 3339, seconds or milliseconds since 1970."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from services.render.helpers.values import number_of

if TYPE_CHECKING:
    from decimal import Decimal

_MAX_TEXT = 64
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}")
_NUMBER = re.compile(r"[+-]?(?P<digits>[0-9]+)(?:\.[0-9]+)?")
# A text of fewer digits is a year, an order, an amount: as seconds it would lie before March 1973.
_FEWEST_DIGITS = 9
# From here on a number counts milliseconds: as seconds it would be a day in the year 5138.
_MILLISECONDS = 10**11
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_ZONE = r"(?:Z|[+-][0-9:]+)?"
# ISO 8601's midnight at the end of a day.
_END_OF_DAY = re.compile(rf"(?<=[T ])24(?=(?::?00(?::?00(?:[.,]0+)?)?)?{_ZONE}$)")
# RFC 3339's leap second. No clock of ours has one: it counts as the second before, which is on the same day.
_LEAP_SECOND = re.compile(rf"(?:(?<=[T ][0-9]{{2}}:[0-9]{{2}}:)|(?<=[T ][0-9]{{4}}))60(?=(?:[.,][0-9]+)?{_ZONE}$)")


def moment_of(value: Any) -> date | None:
    """Return a day as a date, or a moment as a datetime with its zone; None if it is neither."""
    if type(value) is str:
        return _read(value.strip()) if len(value) <= _MAX_TEXT else None
    return _since_1970(number_of(value))


def _read(text: str) -> date | None:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        if (number := _NUMBER.fullmatch(text)) is not None:
            return _since_1970(number_of(text)) if len(number["digits"]) >= _FEWEST_DIGITS else None
        moment = _read_time(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _read_time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        text, days = _END_OF_DAY.subn("00", text.upper())
        return datetime.fromisoformat(_LEAP_SECOND.sub("59", text)) + timedelta(days=days)


def _since_1970(number: "Decimal | None") -> datetime | None:
    if number is None:
        return None
    seconds = float(number) / 1000 if abs(number) >= _MILLISECONDS else float(number)
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None
