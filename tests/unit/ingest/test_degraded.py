"""Limits without PostgreSQL."""

from services.ingest.degraded import OutageLimits
from services.ingest.ports import LimitKind, Reached, TenantSettings
from services.ingest.pressure import Pressure

# A midnight of UTC.
MIDNIGHT_US = 1_776_816_000_000_000
SECOND_US = 1_000_000


class Process:
    """One process during an outage, and its clock."""

    def __init__(self, **settings: int | None) -> None:
        self.now_us = MIDNIGHT_US + 3600 * SECOND_US
        self.settings = TenantSettings(**settings)  # type: ignore[arg-type]
        self.pressure = Pressure()
        self.limits = OutageLimits(lambda _: self.settings, self.pressure, now=lambda: self.now_us)

    def let_in(self, number: int, tenant_id: str = "t") -> int:
        """Return the number of admitted events out of so many."""
        return sum(self.limits.take(tenant_id) is None for _ in range(number))


def test_the_quota_counts_once_for_each_outage() -> None:
    """Each tenant has its own quota, nothing is finished meanwhile, and the end of the outage resets it."""
    process = Process(max_unfinished_events=3)
    assert (process.let_in(5), process.let_in(5, "other")) == (3, 3)
    assert process.limits.take("t") == Reached(LimitKind.UNFINISHED, 3)
    process.limits.reset()
    assert process.let_in(5) == 3


def test_the_minute_slides() -> None:
    """The limits are those that apply with PostgreSQL."""
    process = Process(rate_limit_per_minute=10)
    assert process.let_in(4) == 4
    process.now_us += 30 * SECOND_US
    assert process.let_in(20) == 6
    assert process.limits.take("t") == Reached(LimitKind.MINUTE, 10, 30)
    process.now_us += 30 * SECOND_US
    assert process.let_in(20) == 4


def test_the_day_ends_at_midnight() -> None:
    """The daily cap is reported before the minute's limit, which ends sooner."""
    process = Process(rate_limit_per_minute=5, daily_cap=5)
    process.now_us = MIDNIGHT_US - 10 * SECOND_US
    assert process.let_in(9) == 5
    assert process.limits.take("t") == Reached(LimitKind.DAY, 5, 10)
    process.now_us = MIDNIGHT_US
    assert process.limits.take("t") == Reached(LimitKind.MINUTE, 5, 50)
    process.now_us += 60 * SECOND_US
    assert process.let_in(9) == 5


def test_zero_lets_nothing_in() -> None:
    """A limit of zero admits nothing."""
    assert Process(rate_limit_per_minute=0).limits.take("t") == Reached(LimitKind.MINUTE, 0, 60)
    assert Process(daily_cap=0).let_in(3) == 0


def test_a_log_stays_short() -> None:
    """The log stays short however many events are admitted."""
    process = Process(rate_limit_per_minute=1_000_000)
    for _ in range(3000):
        process.let_in(3)
        process.now_us += SECOND_US // 20
    assert len(process.limits._minutes["t"]._log) <= 241


def test_the_budget_of_bytes_holds_without_postgres() -> None:
    """Each process admits the tenant's budget of bytes, and only a share of it while a stream is crowded."""
    process = Process(max_unfinished_bytes=1000)
    assert process.limits.take("t", 900) is None
    assert process.limits.take("t", 200) == Reached(LimitKind.BYTES, 1000)
    assert process.limits.take("t", 100) is None
    assert process.limits.take("other", 1000) is None
    process.limits.reset()
    process.pressure.record("TIMERS", 95, 100)
    assert process.limits.take("t", 63) == Reached(LimitKind.BYTES, 62)
    assert process.limits.take("t", 62) is None
