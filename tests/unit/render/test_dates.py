"""formatDate: what is read as a moment, zones in every letter of a pattern, weeks of each region."""

from datetime import date, timedelta

import pytest

from tests.unit.render.written import render

JANUARY, JULY = "2026-01-15T12:00:00Z", "2026-07-15T12:00:00Z"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("1795011201200", "2026-11-18 14:13", id="milliseconds-that-look-like-a-day"),
        pytest.param(1795011201200, "2026-11-18 14:13", id="milliseconds"),
        pytest.param(1795011201200.0, "2026-11-18 14:13", id="milliseconds-as-a-float"),
        pytest.param("1795011201", "2026-11-18 14:13", id="seconds"),
        pytest.param("1795011201.2", "2026-11-18 14:13", id="seconds-and-a-fraction"),
        pytest.param("100000000", "1973-03-03 09:46", id="the-first-seconds-as-text"),
        pytest.param("2026", "2026", id="a-year"),
        pytest.param("202611", "202611", id="a-month"),
        pytest.param("12.50", "12.50", id="an-amount"),
        pytest.param("-1", "-1", id="a-negative-number"),
        pytest.param(0, "1970-01-01 00:00", id="zero"),
        pytest.param("20261121", "2026-11-21 00:00", id="a-basic-day"),
        pytest.param("20261340", "20261340", id="no-basic-day"),
        pytest.param("20261121T180500Z", "2026-11-21 18:05", id="a-basic-moment"),
        pytest.param("2026-11-21T24:00:00Z", "2026-11-22 00:00", id="midnight-at-the-end"),
        pytest.param("2026-12-31T24:00Z", "2027-01-01 00:00", id="midnight-at-the-end-of-a-year"),
        pytest.param("2026-11-21T24:00:00.000+03:00", "2026-11-21 21:00", id="midnight-at-the-end-of-a-day-elsewhere"),
        pytest.param("2026-11-21T24:00:01Z", "2026-11-21T24:00:01Z", id="past-the-end-of-a-day"),
        pytest.param("2026-11-21T25:00:00Z", "2026-11-21T25:00:00Z", id="no-hour"),
        pytest.param("9999-12-31T24:00:00Z", "9999-12-31T24:00:00Z", id="past-the-end-of-time"),
        pytest.param("2016-12-31T23:59:60Z", "2016-12-31 23:59", id="a-leap-second"),
        pytest.param("2016-12-31T15:59:60.5-08:00", "2016-12-31 23:59", id="a-leap-second-elsewhere"),
        pytest.param("20161231T235960Z", "2016-12-31 23:59", id="a-basic-leap-second"),
        pytest.param("2016-12-31T23:60Z", "2016-12-31T23:60Z", id="no-minute"),
        pytest.param("2016-12-31T23:59:61Z", "2016-12-31T23:59:61Z", id="no-second"),
        pytest.param("2026-11-21t18:05:00z", "2026-11-21 18:05", id="small-letters"),
        pytest.param("2026-11-21 18:05:00z", "2026-11-21 18:05", id="a-space"),
        pytest.param("2026-11-21T18:05:00.123456789Z", "2026-11-21 18:05", id="nanoseconds"),
        pytest.param("2026-11-21T18:05:00-00:00", "2026-11-21 18:05", id="an-unknown-offset"),
    ],
)
def test_moments(value: object, expected: str) -> None:
    """ISO 8601, RFC 3339 and numbers are read as they are meant; what is none of them is written as it came."""
    assert render("{{formatDate d 'yyyy-MM-dd HH:mm'}}", {"d": value}) == expected


@pytest.mark.parametrize("second", range(1764000000, 2080000000, 7_777_777))
def test_milliseconds_as_text_are_those_of_the_number(second: int) -> None:
    """Protobuf's and Java's JSON write whole numbers of 64 bits as text: ten years of them, each the same moment."""
    for value in (second * 1000, second * 1000 + 200):
        written = render("{{formatDate n p}}|{{formatDate t p}}", {"n": value, "t": str(value), "p": "yyyyMMddHHmmss"})
        number, text = written.split("|")
        assert number == text


@pytest.mark.parametrize(
    ("letters", "winter", "summer"),
    [
        ("Z", "-0330", "-0230"),
        ("ZZZ", "-0330", "-0230"),
        ("ZZZZ", "GMT-03:30", "GMT-02:30"),
        ("ZZZZZ", "-03:30", "-02:30"),
        ("O", "GMT-3:30", "GMT-2:30"),
        ("OOOO", "GMT-03:30", "GMT-02:30"),
        ("X", "-0330", "-0230"),
        ("XX", "-0330", "-0230"),
        ("XXX", "-03:30", "-02:30"),
        ("XXXX", "-0330", "-0230"),
        ("XXXXX", "-03:30", "-02:30"),
        ("x", "-0330", "-0230"),
        ("xx", "-0330", "-0230"),
        ("xxx", "-03:30", "-02:30"),
        ("z", "GMT-3:30", "GMT-2:30"),
        ("zzzz", "Newfoundland Standard Time", "Newfoundland Daylight Time"),
    ],
)
def test_a_zone_west_of_greenwich_with_minutes(letters: str, winter: str, summer: str) -> None:
    """St. John's, in each of UTS #35's letters."""
    for moment, expected in (JANUARY, winter), (JULY, summer):
        assert render("{{formatDate d p}}", {"d": moment, "p": letters}, zone="America/St_Johns") == expected


@pytest.mark.parametrize(
    ("zone", "moment", "expected"),
    [
        pytest.param("UTC", JANUARY, "+0000 Z Z +00 +00:00 GMT GMT UTC", id="utc"),
        pytest.param("Africa/Nairobi", JANUARY, "+0300 +03:00 +03 +03 +03:00 GMT+3 GMT+03:00 GMT+3", id="hours"),
        pytest.param(
            "Asia/Kathmandu", JANUARY, "+0545 +05:45 +0545 +0545 +05:45 GMT+5:45 GMT+05:45 GMT+5:45", id="east"
        ),
        pytest.param(
            "Pacific/Marquesas", JANUARY, "-0930 -09:30 -0930 -0930 -09:30 GMT-9:30 GMT-09:30 GMT-9:30", id="west"
        ),
        pytest.param("America/New_York", JANUARY, "-0500 -05:00 -05 -05 -05:00 GMT-5 GMT-05:00 EST", id="a-name"),
        pytest.param(
            "America/Caracas",
            "1911-01-01T12:00:00Z",
            "-042740 -04:27:40 -0427 -0427 -04:27 GMT-4:27:40 GMT-04:27:40 GMT-4:27:40",
            id="seconds",
        ),
        pytest.param(
            "Africa/Monrovia",
            "1971-12-01T12:00:00Z",
            "-004430 -00:44:30 -0044 -0044 -00:44 GMT-0:44:30 GMT-00:44:30 GMT",
            id="less-than-an-hour",
        ),
    ],
)
def test_zones(zone: str, moment: str, expected: str) -> None:
    """Z, Z at zero, the short forms with minutes only where there are some, GMT alone at zero, names before offsets."""
    assert render("{{formatDate d 'Z ZZZZZ X x xxx O OOOO z'}}", {"d": moment}, zone=zone) == expected


@pytest.mark.parametrize(
    ("zone", "time", "locale", "expected"),
    [
        ("America/St_Johns", "long", "", "8:30:00 AM GMT-3:30"),
        ("America/St_Johns", "long", "en-CA", "8:30:00 a.m. NST"),
        ("America/St_Johns", "full", "de", "08:30:00 Neufundland-Normalzeit"),
        ("Asia/Kolkata", "long", "", "5:30:00 PM GMT+5:30"),
        ("Asia/Kolkata", "long", "fr", "17:30:00 UTC+5:30"),
        ("Asia/Kolkata", "full", "", "5:30:00 PM India Standard Time"),
        ("Europe/Kyiv", "full", "", "2:00:00 PM Eastern European Standard Time"),
        ("America/Argentina/Buenos_Aires", "full", "", "9:00:00 AM Argentina Standard Time"),
        ("Europe/Dublin", "full", "", "12:00:00 PM Greenwich Mean Time"),
        ("Europe/London", "full", "", "12:00:00 PM Greenwich Mean Time"),
        ("Europe/Berlin", "full", "", "1:00:00 PM Central European Standard Time"),
    ],
)
def test_long_times_name_their_zone(zone: str, time: str, locale: str, expected: str) -> None:
    """As browsers do with timeStyle: by its name in the language, else by its offset."""
    source = "{{formatDate d 'none' time=t}}"
    written = render(source, {"d": JANUARY, "t": time}, locale=locale, zone=zone)
    assert written.replace("\u202f", " ").replace("\u00a0", " ") == expected


def test_every_zone_that_cldr_knows_is_known_by_its_name_of_today() -> None:
    """CLDR keeps each zone's first name, the tz database often has a later one."""
    from babel.core import get_global

    named, renamed = get_global("meta_zones"), get_global("zone_aliases")
    for first in named:
        if first in renamed:
            names = [render("{{formatDate d 'zzzz'}}", {"d": JANUARY}, zone=name) for name in (first, renamed[first])]
            assert "GMT" not in names[0]
            assert names[0] == names[1]


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("zh-TW", "\u9031\u4e94"),
        ("zh-AU", "\u9031\u4e94"),
        ("zh_hk", "\u9031\u4e94"),
        ("zh-SG", "\u5468\u4e94"),
        ("zh", "\u5468\u4e94"),
        ("zh-Hans-TW", "\u5468\u4e94"),
        ("zh-Hans-HK", "\u5468\u4e94"),
        ("iw", "\u05d9\u05d5\u05dd \u05d5\u05f3"),
        ("no", "fre."),
        ("in-ID", "Jum"),
        ("sr-ME", "pet"),
        ("sh", "pet"),
        ("sr", "\u043f\u0435\u0442"),
        ("de_DE.UTF-8", "Fr."),
        ("sr_RS@latin", "pet"),
        ("de-DE-u-ca-buddhist", "Fr."),
    ],
)
def test_languages_by_any_of_their_names(locale: str, expected: str) -> None:
    """Older codes, likely scripts, the forms of POSIX and of browsers: as the recipient's, and as an option."""
    day = "2027-01-01"
    assert render("{{formatDate d 'EEE'}}", {"d": day}, locale=locale) == expected
    assert render("{{formatDate d 'EEE' locale=l}}", {"d": day, "l": locale}) == expected


# Of a language's likely region: the week's first day (0: Monday) and how many days make the year's first week.
WEEKS = {
    "de": (0, 4),
    "fr": (0, 4),
    "sv": (0, 4),
    "pl": (0, 4),
    "es": (0, 4),
    "nl": (0, 4),
    "nb": (0, 4),
    "no": (0, 4),
    "sr-Latn": (0, 1),
    "en": (6, 1),
    "en-GB": (0, 4),
    "pt": (6, 1),
    "pt-PT": (6, 4),
    "ja": (6, 1),
    "ar": (5, 1),
    "": (6, 1),
}


@pytest.mark.parametrize("locale", WEEKS)
def test_weeks_are_those_of_the_likely_region(locale: str) -> None:
    """The week's year, its number and the day's in it, over a dozen years' ends: as CLDR counts them."""
    first, fewest = WEEKS[locale]
    for year in range(2018, 2030):
        for offset in range(-8, 9):
            day = date(year, 1, 1) + timedelta(days=offset)
            begins = day - timedelta(days=(day.weekday() - first) % 7)
            decisive = begins + timedelta(days=7 - fewest)
            number = (decisive.timetuple().tm_yday - 1) // 7 + 1
            expected = f"{decisive.year} {number:02} {(day - begins).days + 1}"
            assert render("{{formatDate d 'YYYY ww e'}}", {"d": day.isoformat()}, locale=locale) == expected
