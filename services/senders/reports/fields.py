"""Reads the fields of a report. A field of an unexpected type must not make the report unreadable."""

import json
from datetime import datetime
from typing import Any

from services.senders.reports.ports import MalformedReport

_LATEST_S = 2**33


def decode(body: bytes) -> Any:
    """Return a body's JSON. Raises MalformedReport.

    Not msgspec: providers cut servers' words anywhere, also within a character, and invalid bytes must not make the
    report unreadable.
    """
    try:
        return json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        raise MalformedReport(str(error)) from error


def mapping(value: Any) -> dict[str, Any]:
    """Return an object; empty: the value is not one."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """Return a text or a number as Unicode that a database accepts; empty: the value is neither."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).encode("utf-8", "replace").decode().replace("\0", "").strip()


def joined(*values: Any) -> str:
    """Return the values that are not empty, joined by blanks."""
    return " ".join(filter(None, map(text, values)))


def micros(value: Any) -> int:
    """Return Unix seconds, or an ISO 8601 time with a zone, as Unix microseconds; 0: the value is neither."""
    said = text(value)
    try:
        seconds = float(said)
    except ValueError:
        try:
            moment = datetime.fromisoformat(said)
        except ValueError:
            return 0
        seconds = moment.timestamp() if moment.tzinfo is not None else 0
    return round(seconds * 1_000_000) if 0 < seconds < _LATEST_S else 0  # NaN is neither
