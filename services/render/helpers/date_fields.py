"""The fields of a date pattern: Babel's, with zones as in UTS #35. Imports Babel, so import this only if needed."""

from datetime import datetime, timedelta

from babel.core import Locale, get_global
from babel.dates import NO_INHERITANCE_MARKER, DateTimeFormat, get_timezone_name

_NONE = timedelta()
_HALF_A_YEAR = timedelta(days=182)
# CLDR keeps a zone's first name for ever; these have another one in the tz database of today, and Babel takes that.
_CLDR_NAMES = {
    "Africa/Asmara": "Africa/Asmera",
    "America/Argentina/Buenos_Aires": "America/Buenos_Aires",
    "America/Argentina/Catamarca": "America/Catamarca",
    "America/Argentina/Cordoba": "America/Cordoba",
    "America/Argentina/Jujuy": "America/Jujuy",
    "America/Argentina/Mendoza": "America/Mendoza",
    "America/Atikokan": "America/Coral_Harbour",
    "America/Indiana/Indianapolis": "America/Indianapolis",
    "America/Kentucky/Louisville": "America/Louisville",
    "America/Nuuk": "America/Godthab",
    "Asia/Ho_Chi_Minh": "Asia/Saigon",
    "Asia/Kathmandu": "Asia/Katmandu",
    "Asia/Kolkata": "Asia/Calcutta",
    "Asia/Yangon": "Asia/Rangoon",
    "Atlantic/Faroe": "Atlantic/Faeroe",
    "Europe/Kyiv": "Europe/Kiev",
    "Pacific/Chuuk": "Pacific/Truk",
    "Pacific/Kanton": "Pacific/Enderbury",
    "Pacific/Pohnpei": "Pacific/Ponape",
}


class DateFields(DateTimeFormat):
    """A moment's fields in a locale: ``pattern % DateFields(moment, locale)`` is the text.

    Babel rounds offsets west of Greenwich down to whole hours, knows no ``O`` and writes ``z`` without "GMT".
    """

    def __init__(self, moment: datetime, locale: Locale) -> None:
        super().__init__(moment, locale)
        self.moment = moment

    def format_timezone(self, char: str, num: int) -> str:
        """Return the field for num times the letter char (UTS #35, Date Field Symbol Table: zone)."""
        if char == "z":
            return self._name("long" if num == 4 else "short") or self._from_gmt(is_long=num == 4)
        if char == "O" or (char == "Z" and num == 4):
            return self._from_gmt(is_long=num == 4)
        if char == "Z":
            return self._iso("X", 5) if num == 5 else self._iso("x", 4)
        if char in "Xx":
            return self._iso(char, num)
        return super().format_timezone(char, num)

    def _offset(self) -> int:
        """Return the seconds by which the zone is ahead of UTC."""
        return int((self.moment.utcoffset() or _NONE).total_seconds())

    def _iso(self, char: str, num: int) -> str:
        offset = self._offset()
        sign, hours, minutes, seconds = _split(offset)
        if num < 4 and abs(offset) < 60:
            sign, offset = "+", 0
        if char == "X" and offset == 0:
            return "Z"
        colon = ":" if num in (3, 5) else ""
        written = f"{sign}{hours:02}"
        if num > 1 or minutes:
            written += f"{colon}{minutes:02}"
        if num > 3 and seconds:
            written += f"{colon}{seconds:02}"
        return written

    def _from_gmt(self, *, is_long: bool) -> str:
        """Return the localized form: "GMT-3:30", long "GMT-03:30", or "GMT" for an offset of zero."""
        form = str(self.locale.zone_formats["gmt"])
        offset = self._offset()
        if offset == 0:
            return (form % "").strip()
        sign, hours, minutes, seconds = _split(offset)
        written = f"{sign}{hours:02}" if is_long else f"{sign}{hours}"
        if is_long or minutes or seconds:
            written += f":{minutes:02}"
        if seconds:
            written += f":{seconds:02}"
        return form % written

    def _name(self, width: str) -> str:
        """Return the zone's name in the language; empty if it has none."""
        zone = get_timezone_name(self.moment, locale=self.locale, return_zone=True)
        zone = _CLDR_NAMES.get(zone, zone)
        variant = "daylight" if _is_summer_time(self.moment) else "standard"
        metazone = get_global("meta_zones").get(zone)
        for names in (self.locale.time_zones.get(zone, {}), self.locale.meta_zones.get(metazone, {})):
            name = names.get(width, {}).get(variant, NO_INHERITANCE_MARKER)
            if name != NO_INHERITANCE_MARKER:
                return str(name)
        return ""


def _is_summer_time(moment: datetime) -> bool:
    saved = moment.dst() or _NONE
    if saved:
        return saved > _NONE
    # Ireland's law has it the other way round: summer is the standard, winter an hour behind.
    other_half = moment + (_HALF_A_YEAR if moment.month < 7 else -_HALF_A_YEAR)
    return (other_half.dst() or _NONE) < _NONE


def _split(offset: int) -> tuple[str, int, int, int]:
    """Return sign, hours, minutes and seconds."""
    minutes, seconds = divmod(abs(offset), 60)
    hours, minutes = divmod(minutes, 60)
    return "-" if offset < 0 else "+", hours, minutes, seconds
