"""When waits are over: on the clocks of people, also when these are put forward or back."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.clock import micros_of
from services.domain.reasons import Reason
from services.router.workflows.delays import wake
from services.router.workflows.facts import Facts
from services.router.workflows.steps import EVERY_DAY, For, From, Until, Wait, Within

_ZONES = (
    "UTC",
    "Africa/Nairobi",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Antarctica/Troll",
)


def _us(text: str) -> int:
    return micros_of(datetime.fromisoformat(text))


def _wake(wait: Wait, now: str, **contact: Any) -> str:
    """Return when a wait is over, in UTC."""
    found = wake(wait, Facts(contact=contact), _us(now))
    assert not found.reason
    return (datetime.fromtimestamp(0, UTC) + timedelta(microseconds=found.at_us)).isoformat()


def test_so_many_seconds() -> None:
    """To the microsecond."""
    assert wake(For(90), Facts(), 1_000_001).at_us == 91_000_001


@pytest.mark.parametrize(
    ("wait", "now", "over"),
    [
        (Until(540, "UTC"), "2026-05-01T08:00:00Z", "2026-05-01T09:00:00+00:00"),
        (Until(540, "UTC"), "2026-05-01T08:59:59.999999Z", "2026-05-01T09:00:00+00:00"),
        # Never now, so that two such waits in a row are a day apart.
        (Until(540, "UTC"), "2026-05-01T09:00:00Z", "2026-05-02T09:00:00+00:00"),
        (Until(540, "Africa/Nairobi"), "2026-05-01T08:00:00Z", "2026-05-02T06:00:00+00:00"),
        (Until(540, "recipient"), "2026-05-01T08:00:00Z", "2026-05-01T13:00:00+00:00"),
        # A Friday.
        (Until(540, "UTC", frozenset({4})), "2026-05-01T10:00:00Z", "2026-05-08T09:00:00+00:00"),
        (Until(540, "UTC", frozenset({0, 5})), "2026-05-01T10:00:00Z", "2026-05-02T09:00:00+00:00"),
        # The day there is another one than in UTC.
        (Until(0, "Pacific/Auckland", frozenset({5})), "2026-05-01T11:00:00Z", "2026-05-01T12:00:00+00:00"),
    ],
)
def test_until_a_clock_shows_a_time(wait: Until, now: str, over: str) -> None:
    """The next time, on one of the days, in the zone of the step or of the person."""
    assert _wake(wait, now, timezone="America/New_York") == over


@pytest.mark.parametrize(
    ("wait", "now", "over"),
    [
        # New York, 2026-03-08: 02:00 to 03:00 does not exist.
        (Until(150, "America/New_York"), "2026-03-08T05:00:00Z", "2026-03-08T07:00:00+00:00"),
        (Until(120, "America/New_York"), "2026-03-08T05:00:00Z", "2026-03-08T07:00:00+00:00"),
        (Until(180, "America/New_York"), "2026-03-08T05:00:00Z", "2026-03-08T07:00:00+00:00"),
        # And the day after it is at the usual time.
        (Until(150, "America/New_York"), "2026-03-08T07:00:00Z", "2026-03-09T06:30:00+00:00"),
        # 2026-11-01: 01:00 to 02:00 comes twice; the first one is taken, and the second one is not waited for.
        (Until(90, "America/New_York"), "2026-11-01T04:00:00Z", "2026-11-01T05:30:00+00:00"),
        (Until(90, "America/New_York"), "2026-11-01T05:30:00Z", "2026-11-02T06:30:00+00:00"),
        # Lord Howe puts its clocks forward by half an hour.
        (Until(135, "Australia/Lord_Howe"), "2026-10-03T12:00:00Z", "2026-10-03T15:30:00+00:00"),
        # Midnight does not exist in Beirut on 2026-03-29.
        (Until(0, "Asia/Beirut"), "2026-03-28T12:00:00Z", "2026-03-28T22:00:00+00:00"),
        # Samoa left out 2011-12-30.
        (Until(540, "Pacific/Apia"), "2011-12-30T09:59:00Z", "2011-12-30T10:00:00+00:00"),
    ],
)
def test_a_skipped_time_is_over_when_it_is_skipped_and_a_repeated_one_once(wait: Until, now: str, over: str) -> None:
    """On the days on which the clocks change."""
    assert _wake(wait, now) == over


@pytest.mark.parametrize(
    ("now", "over"),
    [
        ("2026-05-01T06:59:00+02:00", "2026-05-01T05:00:00+00:00"),
        # Within the hours it is not waited: from the first minute, before the last.
        ("2026-05-01T07:00:00+02:00", "2026-05-01T05:00:00+00:00"),
        ("2026-05-01T16:59:59+02:00", "2026-05-01T14:59:59+00:00"),
        # Friday's hours are over: Monday.
        ("2026-05-01T17:00:00+02:00", "2026-05-04T05:00:00+00:00"),
        ("2026-05-02T12:00:00+02:00", "2026-05-04T05:00:00+00:00"),
    ],
)
def test_within_working_hours(now: str, over: str) -> None:
    """From 7 to 17 on working days in Berlin."""
    working = Within(7 * 60, 17 * 60, "Europe/Berlin", frozenset(range(5)))
    assert _wake(working, now) == over


@pytest.mark.parametrize(
    ("value", "over"),
    [
        ("2026-05-01T09:00:00Z", "2026-05-01T09:00:00+00:00"),
        ("2026-05-01T09:00:00+03:00", "2026-05-01T06:00:00+00:00"),
        ("2026-05-01T09:00:00", "2026-05-01T09:00:00+00:00"),
        ("2026-05-01", "2026-05-01T00:00:00+00:00"),
        (1777626000, "2026-05-01T09:00:00+00:00"),
        (1777626000000, "2026-05-01T09:00:00+00:00"),
        (1777626000.5, "2026-05-01T09:00:00.500000+00:00"),
    ],
)
def test_a_time_of_the_event(value: Any, over: str) -> None:
    """ISO 8601, in UTC where it has no offset; or Unix seconds or milliseconds."""
    facts = Facts(event={"data": {"at": value}})
    found = wake(From(("event", "data", "at")), facts, 0 + _us("2026-04-01T00:00:00Z"))
    assert (found.at_us, found.reason) == (_us(over), "")
    assert (
        wake(From(("event", "data", "at"), -3600), facts, _us("2026-04-01T00:00:00Z")).at_us == _us(over) - 3600 * 10**6
    )


@pytest.mark.parametrize(
    "value", [None, "", "soon", "2026-13-01", True, [], {}, -5, 1e300, 10**400, "9999-12-31T23:59:59-23:00"]
)
def test_what_is_no_time(value: Any) -> None:
    """The wait says which field it is."""
    found = wake(From(("variables", "a", "at")), Facts(variables={"a": {"at": value}}), _us("2026-04-01T00:00:00Z"))
    assert found.reason in {Reason.DELAY_UNREADABLE, Reason.DELAY_TOO_LONG}
    assert found.detail.startswith("variables.a.at ")


def test_a_path_into_what_is_no_object() -> None:
    """It names no time."""
    assert wake(From(("event", "data", "at")), Facts(event={"data": "x"}), 0).reason == Reason.DELAY_UNREADABLE


@given(
    st.sampled_from(_ZONES),
    st.integers(0, 1439),
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(_us("2012-01-01T00:00:00Z"), _us("2040-01-01T00:00:00Z")),
)
def test_the_clock_shows_the_time_when_the_wait_is_over(zone: str, minute: int, days: set[int], now_us: int) -> None:
    """Or a later one, if that minute does not exist on the day; and no clock showed it before, after now."""
    over_us = wake(Until(minute, zone, frozenset(days)), Facts(), now_us).at_us
    assert now_us < over_us <= now_us + 8 * 86400 * 10**6
    over = datetime.fromtimestamp(over_us // 10**6, ZoneInfo(zone))
    shown = over.hour * 60 + over.minute
    assert over.weekday() in days
    assert shown >= minute
    before = over.astimezone(UTC) - timedelta(minutes=1)
    if shown > minute:  # it was skipped: a minute before, the clock showed less
        local = before.astimezone(ZoneInfo(zone))
        assert (local.hour * 60 + local.minute, local.date()) < (minute, over.date())
    assert (over.second, over.fold) == (0, 0)


@given(
    st.sampled_from(_ZONES), st.integers(0, 1438), st.integers(_us("2012-01-01T00:00:00Z"), _us("2040-01-01T00:00:00Z"))
)
def test_within_is_now_or_when_the_hours_begin(zone: str, first: int, now_us: int) -> None:
    """Never in the past, and at most a day away where every day counts."""
    over_us = wake(Within(first, 1440, zone, EVERY_DAY), Facts(), now_us).at_us
    local = datetime.fromtimestamp(now_us // 10**6, ZoneInfo(zone))
    assert (over_us == now_us) == (local.hour * 60 + local.minute >= first)
    assert over_us <= now_us + 26 * 3600 * 10**6
