"""When a schedule is due: pure. Expressions are read by cronsim, which follows Debian's cron.

A time of day in a time zone happens once a day. Where a change of the clock skips it, it happens at the next instant
there is; where the clock shows it twice, the first time. An expression for any hour ("*/15 * * * *") counts on through
the change instead: else it would pause for an hour in autumn.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

MAX_LENGTH = 255

_ALL_HOURS = set(range(24))
_MINUTE = timedelta(minutes=1)
# A clock that is set back shows no more than this twice.
_LONGEST_REPEAT = timedelta(hours=3)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Times:
    """The times of an expression in a time zone, an IANA name; empty: UTC.

    Raises ValueError, saying what is wrong with the expression; times are looked for in the next 50 years.
    """

    def __init__(self, expression: str, zone: str = "") -> None:
        parts = expression.split()
        if len(expression) > MAX_LENGTH:
            raise ValueError(f"is longer than {MAX_LENGTH} characters")
        if len(parts) != 5:
            raise ValueError("must have five fields: minute, hour, day of the month, month and day of the week")
        try:
            fields = CronSim(expression, _EPOCH)
        except CronSimError as error:
            raise ValueError(_in_words(error)) from None
        self._counts_on = fields.hours == _ALL_HOURS
        if self._counts_on:
            parts[1] = "*"  # else cronsim takes "0-23" for a list of times of day
        self._expression = " ".join(parts)
        self._zone = ZoneInfo(zone) if zone else UTC

    def after(self, at_us: int) -> int | None:
        """Return the first time after an instant; None: there is none in 50 years. Unix microseconds."""
        return next(self._after(at_us), None)

    def next_times(self, at_us: int, count: int) -> list[int]:
        """Return up to so many times after an instant, each later than the one before it. Unix microseconds."""
        return list(islice(self._after(at_us), count))

    def _after(self, at_us: int) -> Iterator[int]:
        at = (_EPOCH + timedelta(microseconds=at_us)).astimezone(self._zone)
        last = at_us
        for found in self._counting_on(at) if self._counts_on else self._times_of_day(at):
            found_us = (found - _EPOCH) // _MICROSECOND
            if found_us > last:  # several times that are skipped are one
                yield found_us
                last = found_us

    def _counting_on(self, at: datetime) -> Iterator[datetime]:
        """Yield each instant at which the clock shows a time, both where it shows it twice; some are not after at."""
        again: list[datetime] = []  # what the clock shows for the second time
        for shown in CronSim(self._expression, at.replace(tzinfo=None) - _LONGEST_REPEAT):
            first = shown.replace(tzinfo=self._zone)
            if _is_skipped(first):
                continue
            instant, second = first.astimezone(UTC), first.replace(fold=1).astimezone(UTC)
            while again and again[0] <= instant:
                yield again.pop(0)
            yield instant
            if second != instant:
                again.append(second)
        yield from again

    def _times_of_day(self, at: datetime) -> Iterator[datetime]:
        """Yield what the clock on the wall shows, as instants; some are not after at."""
        # An hour that is shown twice: from its first time on, which is what its times mean.
        for shown in CronSim(self._expression, at.replace(tzinfo=None)):
            instant = shown.replace(tzinfo=self._zone)
            while _is_skipped(instant):
                instant += _MINUTE
            yield instant


def _is_skipped(local: datetime) -> bool:
    """Return whether the clock never shows this: it is another time after there and back."""
    return local.astimezone(UTC).astimezone(local.tzinfo).replace(tzinfo=None) != local.replace(tzinfo=None)


def _in_words(error: CronSimError) -> str:
    text = str(error)
    field = text.removeprefix("Bad ").replace("-", " ")
    return f"has a wrong {field}" if text.startswith("Bad ") else "cannot be read"
