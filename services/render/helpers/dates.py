"""Dates and times, in a language and a time zone."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, TypeAlias

from services.render.handlebars.culture import Culture
from services.render.handlebars.helper import Helper, Options
from services.render.handlebars.values import text_of
from services.render.helpers.locales import locale_of
from services.render.helpers.values import number_of, text_option

if TYPE_CHECKING:
    from babel import Locale

_Arguments: TypeAlias = tuple[Any, ...]

_STYLES = frozenset(("short", "medium", "long", "full"))
_NONE = "none"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# From here on a number counts milliseconds: as seconds it would be a day in the year 5138.
_MILLISECONDS = 10**11
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _format_date(arguments: _Arguments, options: Options, culture: Culture) -> str:
    moment = _moment(arguments[0])
    if moment is None:
        return text_of(arguments[0])
    wanted = text_option(arguments[1] if len(arguments) > 1 else options.get("format"))
    clock = text_option(options.get("time"))
    locale = locale_of(culture, options.get("locale"))
    try:
        if type(moment) is datetime:
            moment = moment.astimezone(_zone(options, culture))
        return _written(moment, wanted, clock, locale)
    except (ArithmeticError, ValueError, LookupError, AttributeError):
        # A date at the end of time, or letters that mean nothing in a pattern.
        return text_of(arguments[0])


def _written(moment: date, wanted: str, clock: str, locale: "Locale") -> str:
    from babel import dates

    if wanted not in _STYLES and wanted not in ("", _NONE):
        return dates.format_datetime(_midnight(moment), wanted, tzinfo=_own_zone(moment), locale=locale)
    day = "" if wanted == _NONE else dates.format_date(moment, wanted or "medium", locale=locale)
    if clock not in _STYLES or type(moment) is not datetime:
        return day or dates.format_date(moment, "medium", locale=locale)
    time = dates.format_time(moment, clock, tzinfo=moment.tzinfo, locale=locale)
    if not day:
        return time
    joined = str(locale.datetime_formats[wanted or "medium"])
    return joined.replace("'", "").replace("{0}", time).replace("{1}", day)


def _midnight(moment: date) -> datetime:
    return moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day, tzinfo=UTC)


def _own_zone(moment: date) -> tzinfo | None:
    return moment.tzinfo if isinstance(moment, datetime) else UTC


def _moment(value: Any) -> date | None:
    """Return a day, or a moment with its zone; None for what is neither."""
    if type(value) is str:
        return _read(value.strip()) if len(value) <= 64 else None
    number = number_of(value)
    if number is None:
        return None
    seconds = float(number) / 1000 if abs(number) >= _MILLISECONDS else float(number)
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None


def _read(text: str) -> date | None:
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        number = number_of(text)
        return None if number is None else _moment(float(number))
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _zone(options: Options, culture: Culture) -> tzinfo:
    """Return the zone asked for, else the rendering's, else UTC."""
    from zoneinfo import ZoneInfo

    for name in (text_option(options.get("timeZone")), culture.time_zone):
        try:
            if name:
                return ZoneInfo(name)
        except (OSError, ValueError, LookupError):
            continue
    return UTC


HELPERS: Mapping[str, Helper] = {
    "formatDate": Helper(_format_date, 1, 2, frozenset(("format", "time", "timeZone", "locale"))),
}
