"""The filter of a segment: which stored recipients are in it. Pure.

A filter is a JSON object, one of

    {"all": [filter, …]}      all of them match; empty: everybody
    {"any": [filter, …]}      one of them matches; empty: nobody
    {"not": filter}
    {"field": "…", "op": "…", "value": …}

Fields, and their ops with the value of each:

    recipient_id, email, phone, name, locale, timezone
        is, is_not, contains, starts_with, ends_with: a text. in: a list of texts. exists: true or false.
    data.<name>[.<name> …]
        As above; is, is_not and in take numbers and booleans too. less, at_most, more, at_least: a number.
        before, after: a date such as "2026-11-30", compared with the first ten characters of a text.
        has: a text that is in a list.
    tags, groups (by their keys), muted_channels ("EMAIL", "SMS", …)
        has_all, has_any, has_none: a list of texts.
    created_at, updated_at
        before, after: a time in ISO 8601 with an offset. within, not_within: the last so many seconds.

Texts are compared whatever their case; of one in data, the first 1,000 characters are. A test of what somebody does not
have is false, but for is_not, has_none, not_within and exists: false.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias

import msgspec

from services.domain import channels
from services.router.recipients.check import MAX_NAME, Fault, invalid

MAX_BYTES = 16 * 1024
# Tests, and how deep a filter is nested.
MAX_TESTS = 50
MAX_DEPTH = 6
# Of one test.
MAX_VALUES = 100
_MAX_PATH, _MAX_NAME_IN_PATH = 5, 64
# The longest time of within, seconds: a hundred years.
_MAX_SECONDS = 100 * 366 * 24 * 3600
# Of times.
_YEARS = 2, 9998

TEXTS = ("recipient_id", "email", "phone", "name", "locale", "timezone")
LISTS = ("tags", "groups", "muted_channels")
TIMES = ("created_at", "updated_at")
DATA = "data."

Value: TypeAlias = str | bool | int | float | Sequence["str | bool | int | float"] | datetime


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison. value: a text, a number, a boolean, a time, or some of the first three."""

    field: str
    op: str
    value: Value


@dataclass(frozen=True, slots=True)
class All:
    """Matches whom all parts match."""

    parts: Sequence["Filter"]


@dataclass(frozen=True, slots=True)
class Either:
    """Matches whom one of the parts matches."""

    parts: Sequence["Filter"]


@dataclass(frozen=True, slots=True)
class Not:
    """Matches whom the part does not match."""

    part: "Filter"


Filter: TypeAlias = Test | All | Either | Not
EVERYBODY = All(())

_Check: TypeAlias = Callable[[Any], "Value | None"]


def parse(raw: bytes, field: str = "filter") -> Filter:
    """Return a filter as it was written. Raises INVALID, which says where it is wrong, and what."""
    if len(raw) > MAX_BYTES:
        raise invalid([(field, f"must have at most {MAX_BYTES // 1024} KiB")])
    try:
        written = msgspec.json.decode(raw)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors, and so is that for what is not UTF-8
        raise invalid([(field, "must be JSON")]) from None
    reader = _Reader()
    found = reader.read(written, field, 1)
    if reader.tests > MAX_TESTS:
        reader.faults.append((field, f"must have at most {MAX_TESTS} tests"))
    if reader.faults or found is None:
        raise invalid(reader.faults)
    return found


class _Reader:
    """Reads a filter, and collects what is wrong with it."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.tests = 0

    def read(self, written: object, at: str, depth: int) -> Filter | None:
        """Return a filter; None: it is wrong. at: its path."""
        if depth > MAX_DEPTH:
            self._wrong(at, f"must be nested at most {MAX_DEPTH} levels deep")
            return None
        match written:
            case {"all": list(parts), **others} if not others:
                return All(self._parts(parts, f"{at}.all", depth))
            case {"any": list(parts), **others} if not others:
                return Either(self._parts(parts, f"{at}.any", depth))
            case {"not": part, **others} if not others:
                found = self.read(part, f"{at}.not", depth + 1)
                return None if found is None else Not(found)
            case {"field": str(name), "op": str(op), "value": value, **others} if not others:
                return self._test(name, op, value, at)
        self._wrong(at, 'must be {"all": […]}, {"any": […]}, {"not": …} or {"field": …, "op": …, "value": …}')
        return None

    def _parts(self, parts: Sequence[object], at: str, depth: int) -> Sequence[Filter]:
        if len(parts) > MAX_TESTS:
            self._wrong(at, f"must have at most {MAX_TESTS} filters")
            return ()
        found = [self.read(part, f"{at}[{position}]", depth + 1) for position, part in enumerate(parts)]
        return tuple(part for part in found if part is not None)

    def _test(self, name: str, op: str, value: object, at: str) -> Test | None:
        self.tests += 1
        ops = _ops_of(name)
        if ops is None:
            self._wrong(f"{at}.field", f"must be one of {', '.join((*TEXTS, *LISTS, *TIMES))}, data.<name>")
            return None
        if op not in ops:
            self._wrong(f"{at}.op", f"must be one of {', '.join(ops)}")
            return None
        check, description = ops[op]
        checked = check(value)
        if checked is None or (name == "muted_channels" and not _are_channels(checked)):
            self._wrong(f"{at}.value", f"must be {description}")
            return None
        return Test(name, op, checked)

    def _wrong(self, at: str, description: str) -> None:
        self.faults.append((at, description))


def path_of(field: str) -> list[str]:
    """Return the names of a field in data: "data.address.city" is ["address", "city"]."""
    return field.removeprefix(DATA).split(".")


def _ops_of(field: str) -> Mapping[str, tuple[_Check, str]] | None:
    if field in TEXTS:
        return _TEXT_OPS
    if field in LISTS:
        return _LIST_OPS
    if field in TIMES:
        return _TIME_OPS
    if field.startswith(DATA) and _is_path(path_of(field)):
        return _DATA_OPS
    return None


def _is_path(names: Sequence[str]) -> bool:
    return len(names) <= _MAX_PATH and all(0 < len(name) <= _MAX_NAME_IN_PATH and "\0" not in name for name in names)


def _text(value: object) -> Value | None:
    return value if isinstance(value, str) and 0 < len(value) <= MAX_NAME and "\0" not in value else None


def _number(value: object) -> Value | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _scalar(value: object) -> Value | None:
    return value if isinstance(value, bool) else _text(value) or _number(value)


def _some(check: _Check) -> _Check:
    def checked(value: object) -> Value | None:
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_VALUES:
            return None
        found = [check(one) for one in value]
        return None if None in found else tuple(value)

    return checked


def _boolean(value: object) -> Value | None:
    return value if isinstance(value, bool) else None


def _date(value: object) -> Value | None:
    try:
        return date.fromisoformat(value).isoformat() if isinstance(value, str) else None
    except ValueError:
        return None


def _time(value: object) -> Value | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    # In UTC, it may lie before the year 1 or after the year 9999.
    is_good = found is not None and found.tzinfo is not None and _YEARS[0] <= found.year <= _YEARS[1]
    return found if is_good else None


def _seconds(value: object) -> Value | None:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and isinstance(value, int) and 0 < value <= _MAX_SECONDS else None


def _are_channels(names: Value) -> bool:
    return isinstance(names, Sequence) and all(name in channels.PUBLIC_NAMES_FOR_PEOPLE for name in names)


_A_TEXT = f"a text of 1 to {MAX_NAME} characters"
_TEXT_OPS: Mapping[str, tuple[_Check, str]] = {
    **dict.fromkeys(("is", "is_not", "contains", "starts_with", "ends_with"), (_text, _A_TEXT)),
    "in": (_some(_text), f"a list of 1 to {MAX_VALUES} texts"),
    "exists": (_boolean, "true or false"),
}
_DATA_OPS: Mapping[str, tuple[_Check, str]] = {
    **_TEXT_OPS,
    **dict.fromkeys(("is", "is_not"), (_scalar, f"{_A_TEXT}, a number, true or false")),
    "in": (_some(_scalar), f"a list of 1 to {MAX_VALUES} texts, numbers and booleans"),
    **dict.fromkeys(("less", "at_most", "more", "at_least"), (_number, "a number")),
    **dict.fromkeys(("before", "after"), (_date, "a date such as 2026-11-30")),
    "has": (_text, _A_TEXT),
}
_LIST_OPS: Mapping[str, tuple[_Check, str]] = {
    op: (_some(_text), f"a list of 1 to {MAX_VALUES} names that exist for this field")
    for op in ("has_all", "has_any", "has_none")
}
_TIME_OPS: Mapping[str, tuple[_Check, str]] = {
    **dict.fromkeys(("before", "after"), (_time, "a time with an offset, such as 2026-11-30T12:00:00Z")),
    **dict.fromkeys(("within", "not_within"), (_seconds, "a whole number of seconds")),
}
