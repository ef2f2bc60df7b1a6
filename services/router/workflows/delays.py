"""When a wait is over. Pure.

Of a time that a clock shows: an hour that is skipped when the clocks go forward ends at the next instant that exists,
and one that is repeated when they go back is taken the first time.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from runtime.clock import micros_of
from services.domain.reasons import Reason
from services.domain.time_zones import is_time_zone
from services.router.workflows.facts import Facts
from services.router.workflows.steps import MAX_DELAY_S, RECIPIENT_TIMEZONE, For, From, Until, Wait, Within

_MICROS = 1_000_000
# A number that is at least this large counts milliseconds, a smaller one seconds. In seconds it is the year 5138.
_MILLISECONDS_FROM = 100_000_000_000
# Days in which a day of the week comes again, whatever the time of the day; one more for a day that a zone skipped.
_DAYS = 9


class Wake(NamedTuple):
    """When a wait is over, Unix microseconds; now or before: it need not wait. reason, detail: why it is not known."""

    at_us: int
    reason: str = ""
    detail: str = ""


def wake(wait: Wait, facts: Facts, now_us: int) -> Wake:
    """Return when a wait that begins now is over. A person without a time zone is in UTC."""
    match wait:
        case For():
            return Wake(now_us + wait.seconds * _MICROS)
        case Until():
            return Wake(_next(wait.minute, wait.days, _zone(wait.timezone, facts), now_us))
        case From():
            return _from(wait, facts, now_us)
        case Within():
            zone = _zone(wait.timezone, facts)
            return Wake(now_us if _is_within(wait, zone, now_us) else _next(wait.first, wait.days, zone, now_us))


def _next(minute: int, days: frozenset[int], zone: ZoneInfo, now_us: int) -> int:
    """Return when a clock of the zone shows this minute next, on one of the days; never now."""
    today = _local(now_us, zone).date()
    for ahead in range(_DAYS):
        day = today + timedelta(days=ahead)
        if day.weekday() in days and (found := _instant(day, minute, zone)) > now_us:
            return found
    raise ValueError(f"no minute {minute} on days {sorted(days)}")  # every week has each of its days


def _instant(day: date, minute: int, zone: ZoneInfo) -> int:
    """Return when a clock of the zone shows this minute of a day for the first time, else when it first shows more."""
    wall = datetime.combine(day, time(minute // 60, minute % 60), zone)
    while wall.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall.replace(tzinfo=None):
        wall += timedelta(minutes=1)  # a clock is put forward by whole minutes
    return micros_of(wall)


def _is_within(wait: Within, zone: ZoneInfo, now_us: int) -> bool:
    local = _local(now_us, zone)
    return local.weekday() in wait.days and wait.first <= local.hour * 60 + local.minute < wait.end


def _from(wait: From, facts: Facts, now_us: int) -> Wake:
    name = ".".join(wait.path)
    value: Any = {"contact": facts.contact, "event": facts.event, "variables": facts.variables}
    for part in wait.path:
        value = value.get(part) if isinstance(value, Mapping) else None
    moment = _moment(value)
    if moment is None:
        return Wake(0, Reason.DELAY_UNREADABLE, f"{name} has no time such as 2026-05-01T09:00:00Z.")
    at_us = moment + wait.offset_s * _MICROS
    if at_us > now_us + MAX_DELAY_S * _MICROS:
        return Wake(0, Reason.DELAY_TOO_LONG, f"{name} is more than a year away.")
    return Wake(at_us)


def _moment(value: Any) -> int | None:
    """Return the Unix microseconds of an ISO 8601 text (UTC without an offset) or of a number; None: it is neither."""
    match value:
        case str():
            try:
                moment = datetime.fromisoformat(value)
                return micros_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
            except (ValueError, OverflowError):
                return None
        case bool():
            return None
        case int() | float():
            # Not divided before it is compared: a whole number may be too large for that.
            if not 0 <= value < _MILLISECONDS_FROM * 1000:
                return None
            seconds = value / 1000 if value >= _MILLISECONDS_FROM else value
            return int(seconds * _MICROS)
    return None


def _local(now_us: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(now_us // _MICROS, zone)


def _zone(name: str, facts: Facts) -> ZoneInfo:
    wanted = facts.timezone if name == RECIPIENT_TIMEZONE else name
    return ZoneInfo(wanted if is_time_zone(wanted) else "UTC")
