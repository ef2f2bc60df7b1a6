"""Dates and times, in a language and a time zone."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import TYPE_CHECKING, Any, TypeAlias

from services.render.handlebars.culture import Culture
from services.render.handlebars.helper import Helper, Options
from services.render.handlebars.values import text_of
from services.render.helpers.locales import locale_of
from services.render.helpers.moments import moment_of
from services.render.helpers.values import text_option

if TYPE_CHECKING:
    from babel import Locale
    from babel.dates import DateTimePattern

_Arguments: TypeAlias = tuple[Any, ...]

_STYLES = frozenset(("short", "medium", "long", "full"))
_NONE = "none"


def _format_date(arguments: _Arguments, options: Options, culture: Culture) -> str:
    moment = moment_of(arguments[0])
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
    from babel.dates import parse_pattern

    from services.render.helpers.date_fields import DateFields

    def write(pattern: "DateTimePattern") -> str:
        return str(pattern % DateFields(_midnight(moment), locale))

    if wanted not in _STYLES and wanted not in ("", _NONE):
        return write(parse_pattern(wanted))
    day = "" if wanted == _NONE else write(locale.date_formats[wanted or "medium"])
    if clock not in _STYLES or type(moment) is not datetime:
        return day or write(locale.date_formats["medium"])
    time = write(locale.time_formats[clock])
    if not day:
        return time
    joined = str(locale.datetime_formats[wanted or "medium"])
    return joined.replace("'", "").replace("{0}", time).replace("{1}", day)


def _midnight(moment: date) -> datetime:
    return moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day, tzinfo=UTC)


def _zone(options: Options, culture: Culture) -> tzinfo:
    """Return the zone of the option, the rendering's zone, or UTC."""
    from zoneinfo import ZoneInfo

    for name in (text_option(options.get("timeZone")), culture.time_zone):
        try:
            if name:
                return ZoneInfo(name)
        except (OSError, ValueError, LookupError):
            continue
    return UTC


HELPERS: Mapping[str, Helper] = {
    "formatDate": Helper(
        _format_date,
        1,
        2,
        frozenset(("format", "time", "timeZone", "locale")),
        parameters=("when", "format"),
        summary="Writes a date or a time as the recipient's language does: short, medium, long, full, or a pattern.",
        example='{{formatDate orderedAt "long" time="short" timeZone="Europe/Berlin" locale="de"}}',
    ),
}
