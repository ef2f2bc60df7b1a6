"""When schedules are due: examples, and any expression against a model that looks at each minute."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from services.router.schedules import outcome
from services.router.schedules.schedule import Schedule
from services.router.schedules.times import Times

_MINUTE = timedelta(minutes=1)
# Days on which the clock is changed: by an hour in the night, at midnight, by half an hour, and by a day.
_CHANGES = {
    "Europe/Berlin": ("2027-03-28", "2027-10-31"),
    "America/New_York": ("2027-03-14", "2027-11-07"),
    "America/Santiago": ("2027-04-04", "2027-09-05"),
    "Australia/Lord_Howe": ("2027-04-04", "2027-10-03"),
    "Pacific/Apia": ("2011-12-30", "2011-12-31"),
    "": ("2027-03-28", "2027-12-31"),
}


def _us(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000


def _at(us: int) -> str:
    return f"{datetime.fromtimestamp(us / 1_000_000, UTC):%Y-%m-%d %H:%M}"


def _times(expression: str, zone: str, after: str, count: int) -> list[str]:
    """Return the next times in UTC. after: in UTC, too."""
    start = datetime.fromisoformat(after).replace(tzinfo=UTC)
    return list(map(_at, Times(expression, zone).next_times(_us(start), count)))


def test_a_skipped_time_of_day_happens_at_the_next_instant() -> None:
    """Half past two does not exist in Berlin on that day: three o'clock is next, once, though more were skipped."""
    assert _times("30 2 * * *", "Europe/Berlin", "2027-03-27 12:00", 2) == ["2027-03-28 01:00", "2027-03-29 00:30"]
    assert _times("*/15 2,3 * * *", "Europe/Berlin", "2027-03-27 12:00", 3) == [
        "2027-03-28 01:00",
        "2027-03-28 01:15",
        "2027-03-28 01:30",
    ]


def test_a_repeated_time_of_day_happens_once() -> None:
    """Half past two exists twice in Berlin on that day, half past one in New York: the first one counts."""
    assert _times("30 2 * * *", "Europe/Berlin", "2027-10-30 12:00", 2) == ["2027-10-31 00:30", "2027-11-01 01:30"]
    assert _times("30 1 * * *", "America/New_York", "2027-11-06 12:00", 2) == ["2027-11-07 05:30", "2027-11-08 06:30"]


def test_minutes_of_any_hour_count_on() -> None:
    """Every half hour stays every half hour, whether any hour is written as a star or as a range."""
    expected = ["2027-10-31 00:00", "2027-10-31 00:30", "2027-10-31 01:00", "2027-10-31 01:30", "2027-10-31 02:00"]
    for expression in ("*/30 * * * *", "0,30 0-23 * * *"):
        assert _times(expression, "Europe/Berlin", "2027-10-30 23:30", 5) == expected


def test_minutes_of_any_hour_where_the_clock_goes_back_by_half_an_hour() -> None:
    """Lord Howe shows half past one twice within half an hour: both are times."""
    found = _times("30 * * * *", "Australia/Lord_Howe", "2027-04-03 13:45", 3)
    assert found == ["2027-04-03 14:30", "2027-04-03 15:00", "2027-04-03 16:00"]


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("61 * * * *", "has a wrong minute"),
        ("0 0 30 2 *", "has a wrong day of month"),
        ("0 0 * * MOON", "has a wrong day of week"),
        ("* * * * * *", "must have five fields: minute, hour, day of the month, month and day of the week"),
        ("@daily", "must have five fields: minute, hour, day of the month, month and day of the week"),
        ("0,1" + ",1" * 200 + " * * * *", "is longer than 255 characters"),
    ],
)
def test_what_is_wrong_with_an_expression(expression: str, fault: str) -> None:
    """It is said in words that follow the field's name."""
    with pytest.raises(ValueError, match=fault):
        Times(expression)


def test_what_never_comes() -> None:
    """The 21st at the latest, and the last Monday of its month: no day is both."""
    assert Times("* * */20 * 1L").after(_us(datetime(2027, 1, 1, tzinfo=UTC))) is None


def _field(first: int, last: int) -> "some.SearchStrategy[frozenset[int]]":
    numbers = some.frozensets(some.integers(first, last), min_size=1, max_size=4)
    return some.one_of(some.just(frozenset(range(first, last + 1))), numbers)


def _written(numbers: frozenset[int], first: int, last: int) -> str:
    return "*" if len(numbers) == last - first + 1 else ",".join(map(str, sorted(numbers)))


class _Model:
    """The rules, minute by minute, for a window of three days."""

    def __init__(self, minutes: frozenset[int], hours: frozenset[int], weekdays: frozenset[int], zone: str) -> None:
        self.minutes, self.hours, self.weekdays = minutes, hours, weekdays
        self.zone = ZoneInfo(zone or "UTC")

    def times(self, after: datetime) -> list[int]:
        """Return the times of three days, in order."""
        found = self._counting_on(after) if len(self.hours) == 24 else self._of_day(after)
        return sorted({_us(at) for at in found if after < at <= after + timedelta(days=3)})

    def _counting_on(self, after: datetime) -> Iterator[datetime]:
        for step in range(3 * 1440 + 1):
            at = after + step * _MINUTE
            if self._fits(at.astimezone(self.zone)):
                yield at

    def _of_day(self, after: datetime) -> Iterator[datetime]:
        """Yield the first instant at which the clock on the wall shows each time or, if it never does, a later one."""
        seen: dict[datetime, datetime] = {}
        start = after - timedelta(days=1)
        last = (start - _MINUTE).astimezone(self.zone).replace(tzinfo=None)
        for step in range(5 * 1440):
            at = start + step * _MINUTE
            shown = at.astimezone(self.zone).replace(tzinfo=None)
            while last < shown:  # all that the clock has passed since the minute before
                last += _MINUTE
                seen.setdefault(last, at)
        for shown, at in seen.items():
            if self._fits(shown):
                yield at

    def _fits(self, shown: datetime) -> bool:
        is_day = shown.isoweekday() % 7 in self.weekdays
        return is_day and shown.hour in self.hours and shown.minute in self.minutes


@settings(max_examples=100, deadline=None)
@given(
    minutes=_field(0, 59),
    hours=_field(0, 23),
    weekdays=_field(0, 6),
    zone=some.sampled_from(sorted(_CHANGES)),
    change=some.integers(0, 1),
    before_min=some.integers(0, 1440),
)
def test_any_expression_over_a_change_of_the_clock(
    minutes: frozenset[int], hours: frozenset[int], weekdays: frozenset[int], zone: str, change: int, before_min: int
) -> None:
    """The model, which knows no cron and looks at each minute, finds the same times."""
    expression = f"{_written(minutes, 0, 59)} {_written(hours, 0, 23)} * * {_written(weekdays, 0, 6)}"
    day = datetime.fromisoformat(_CHANGES[zone][change]).replace(tzinfo=ZoneInfo(zone or "UTC"))
    after = day.astimezone(UTC) - before_min * _MINUTE
    expected = _Model(minutes, hours, weekdays, zone).times(after)
    found = Times(expression, zone).next_times(_us(after), len(expected) + 1)
    end = _us(after + timedelta(days=3))
    assert list(map(_at, [one for one in found if one <= end])) == list(map(_at, expected))


@pytest.mark.parametrize(("cron", "zone"), [("0 9 * * *", "Mars/Olympus"), ("0 9 * * X", "")])
def test_a_schedule_whose_times_cannot_be_found_any_more(cron: str, zone: str) -> None:
    """It says so and stops; its event counts, and the others of the same call are not held up."""
    schedule = Schedule(
        *("id", "tenant", "", "name", cron, zone), active=True, event=b"", next_us=1, revision=0, tries=0, last_us=0,
        last_event_id="", last_error="", last_error_detail="", created_us=0, updated_us=0,
    )  # fmt: skip
    passed = outcome.accepted(schedule, "event", 2)
    assert (passed.next_us, passed.event_id, passed.error) == (None, "event", outcome.INVALID)
