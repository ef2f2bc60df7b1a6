"""Limits without PostgreSQL."""

from typing import Any

from services.ingest.degraded import OutageLimits
from services.ingest.ports import KEY_SCOPE, Claim, LimitKind, Rate, Reached, TenantSettings
from services.ingest.pressure import Pressure

# A midnight of UTC.
MIDNIGHT_US = 1_776_816_000_000_000
SECOND_US = 1_000_000


class Process:
    """One process during an outage, and its clock."""

    def __init__(self, **settings: Any) -> None:
        self.now_us = MIDNIGHT_US + 3600 * SECOND_US
        self.settings = TenantSettings(**settings)
        self.pressure = Pressure()
        self.limits = OutageLimits(lambda _: self.settings, self.pressure, now=lambda: self.now_us)

    def take(self, tenant_id: str, size: int = 0, **fields: Any) -> Reached | None:
        """Ask for one event."""
        return self.limits.take(Claim(tenant_id, b"", "", size, **fields))

    def let_in(self, number: int, tenant_id: str = "t") -> int:
        """Return the number of admitted events out of so many."""
        return sum(self.take(tenant_id) is None for _ in range(number))


def test_the_quota_counts_once_for_each_outage() -> None:
    """Each tenant has its own quota, nothing is finished meanwhile, and the end of the outage resets it."""
    process = Process(max_unfinished_events=3)
    assert (process.let_in(5), process.let_in(5, "other")) == (3, 3)
    assert process.take("t") == Reached(LimitKind.UNFINISHED, 3)
    process.limits.reset()
    assert process.let_in(5) == 3


def test_the_minute_slides() -> None:
    """The limits are those that apply with PostgreSQL."""
    process = Process(rate_limit_per_minute=10)
    assert process.let_in(4) == 4
    process.now_us += 30 * SECOND_US
    assert process.let_in(20) == 6
    assert process.take("t") == Reached(LimitKind.SLIDING, 10, 30, window_s=60)
    process.now_us += 30 * SECOND_US
    assert process.let_in(20) == 4


def test_the_day_ends_at_midnight() -> None:
    """Of both limits the one that ends last is reported: near midnight that is the minute's."""
    process = Process(rate_limit_per_minute=5, daily_cap=5)
    process.now_us = MIDNIGHT_US - 10 * SECOND_US
    assert process.let_in(9) == 5
    assert process.take("t") == Reached(LimitKind.SLIDING, 5, 60, window_s=60)
    process.settings = TenantSettings(daily_cap=5)
    assert process.take("t") == Reached(LimitKind.FIXED, 5, 10, window_s=86_400)
    process.settings = TenantSettings(rate_limit_per_minute=5, daily_cap=5)
    process.now_us = MIDNIGHT_US
    assert process.take("t") == Reached(LimitKind.SLIDING, 5, 50, window_s=60)
    process.now_us += 60 * SECOND_US
    assert process.let_in(9) == 5


def test_zero_lets_nothing_in() -> None:
    """A limit of zero admits nothing."""
    assert Process(rate_limit_per_minute=0).take("t") == Reached(LimitKind.SLIDING, 0, 60, window_s=60)
    assert Process(daily_cap=0).let_in(3) == 0


def test_a_log_stays_short() -> None:
    """The log stays short however many events are admitted."""
    process = Process(rate_limit_per_minute=1_000_000)
    for _ in range(3000):
        process.let_in(3)
        process.now_us += SECOND_US // 20
    [window] = process.limits._windows.values()
    assert len(window._log) <= 241


def test_the_budget_of_bytes_holds_without_postgres() -> None:
    """Each process admits the tenant's budget of bytes, and only a share of it while a stream is crowded."""
    process = Process(max_unfinished_bytes=1000)
    assert process.take("t", 900) is None
    assert process.take("t", 200) == Reached(LimitKind.BYTES, 1000, remaining=100)
    assert process.take("t", 100) is None
    assert process.take("other", 1000) is None
    process.limits.reset()
    process.pressure.record("TIMERS", 95, 100)
    assert process.take("t", 63) == Reached(LimitKind.BYTES, 62, remaining=62)
    assert process.take("t", 62) is None


def test_rates_of_a_scope_and_costs() -> None:
    """An event counts in the rates of its scope and of the tenant, as much as it costs; what is refused counts nowhere.

    A window of an hour slides, one of 100 seconds begins at a multiple of 100.
    """
    hour, fixed = Rate(3600, 10, LimitKind.SLIDING, "eu"), Rate(100, 12, LimitKind.FIXED)
    process = Process(rates=(hour, fixed))
    process.now_us = MIDNIGHT_US + 30 * SECOND_US
    assert process.take("t", scope="eu", cost=8) is None
    refused = Reached(LimitKind.SLIDING, 10, 3600, "eu", 3600, 2)
    assert process.take("t", scope="eu", cost=3) == refused
    assert process.take("t", scope="us", cost=5) == Reached(LimitKind.FIXED, 12, 70, "", 100, 4)
    assert process.take("t", scope="us", cost=4) is None
    process.now_us += 70 * SECOND_US
    assert process.take("t", scope="us", cost=12) is None
    process.now_us += 3530 * SECOND_US
    assert process.take("t", scope="eu", cost=10) is None


def test_what_waits_for_its_time_has_a_quota_of_its_own() -> None:
    """It takes nothing of the quotas of what is unfinished."""
    process = Process(max_scheduled_events=1, max_unfinished_events=1, max_unfinished_bytes=10)
    assert process.take("t", 99, scheduled=True) is None
    assert process.take("t", 99, scheduled=True) == Reached(LimitKind.SCHEDULED, 1)
    assert process.take("t", 10) is None
    assert process.take("t", 10) == Reached(LimitKind.UNFINISHED, 1)
    process.limits.reset()
    assert process.take("t", 99, scheduled=True) is None


def test_rates_of_a_key_count_its_events() -> None:
    """Not those of another key or without one, whatever scope an event names."""
    process = Process(key_rates=(Rate(60, 1, LimitKind.SLIDING, KEY_SCOPE + "k1"),))
    assert process.take("t", key_id="k1") is None
    reached = process.take("t", key_id="k1")
    assert reached is not None
    assert (reached.scope, reached.bound) == (KEY_SCOPE + "k1", 1)
    assert process.take("t", key_id="k2") is None
    assert process.take("t") is None
    assert process.take("t", scope=KEY_SCOPE + "k1") is None
