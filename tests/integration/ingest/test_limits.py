"""Rate limits and daily caps, as PostgreSQL counts them: a sliding window log, and midnight UTC."""

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import asyncpg
import pytest

from runtime.ids import new_id
from services.ingest.admission import PostgresAdmission
from services.ingest.ports import AdmissionVerdict, Claim, LimitKind, Reached, TenantSettings
from tests.conftest import PostgresServer
from tests.integration.ingest.clock import stopped
from tests.integration.ingest.door import Door, day, door, minute

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

NEW, LIMITED, PENDING = AdmissionVerdict.NEW, AdmissionVerdict.LIMITED, AdmissionVerdict.PENDING
NOON = datetime(2026, 4, 22, 12, 0, 0, tzinfo=UTC)


async def test_the_minute_slides(pool: Pool) -> None:
    """Events of 0 and 30 s make room at 60 and 90 s, to the microsecond; before that the answer has the wait."""
    clock = await stopped(pool, NOON)
    tenant = await door(pool, per_minute=10)
    assert await tenant.let_in(4) == 4
    await clock.forward(seconds=30)
    assert await tenant.let_in(20) == 6
    assert await tenant.refused() == minute(10, 30)
    await clock.forward(seconds=29, microseconds=999_999)
    assert await tenant.refused() == minute(10, 1)
    await clock.forward(microseconds=1)
    assert await tenant.let_in(20) == 4
    assert await tenant.refused() == minute(10, 30)
    await clock.forward(seconds=30)
    assert await tenant.let_in(20) == 6


async def test_the_day_ends_at_midnight_utc(pool: Pool) -> None:
    """The cap is used up until midnight UTC, whatever the session's time zone, and then reset."""
    clock = await stopped(pool, datetime(2026, 4, 22, 23, 59, 15, 500_000, tzinfo=UTC))
    tenant = await door(pool, per_day=3, per_minute=1000)
    assert await tenant.let_in(5) == 3
    assert await tenant.refused() == day(3, 45)
    await clock.set(datetime(2026, 4, 22, 23, 59, 59, 999_999, tzinfo=UTC))
    assert await tenant.refused() == day(3, 1)
    await clock.set(datetime(2026, 4, 23, 0, 0, 0, tzinfo=UTC))
    assert await tenant.let_in(5) == 3
    assert await tenant.refused() == day(3, 86_400)
    await clock.forward(hours=12)
    assert await tenant.refused() == day(3, 43_200)


@pytest.mark.parametrize("limit", ["rate_limit_per_minute", "daily_cap"])
async def test_a_limit_of_zero_and_one_changed_while_running(pool: Pool, limit: str) -> None:
    """Zero admits nothing; a changed limit applies from the next event on; earlier events count."""
    await stopped(pool, NOON)
    tenant = await door(pool, **{{"rate_limit_per_minute": "per_minute", "daily_cap": "per_day"}[limit]: 0})

    async def change(value: int | None) -> None:
        await pool.execute(f"UPDATE ingest.tenants SET {limit} = $2 WHERE id = $1", tenant.tenant_id, value)

    refused = await tenant.refused()
    assert refused is not None
    assert (refused.bound, refused.retry_after) == (0, 60 if limit == "rate_limit_per_minute" else 43_200)
    await change(5)
    assert await tenant.let_in(9) == 5
    await change(8)
    assert await tenant.let_in(9) == 3
    await change(2)
    assert await tenant.let_in(9) == 0
    await change(None)
    assert await tenant.let_in(9) == 9


async def test_a_limit_lowered_tells_when_there_is_room(pool: Pool) -> None:
    """Not when the first entry goes, but when enough of them are gone."""
    clock = await stopped(pool, NOON)
    tenant = await door(pool, per_minute=30)
    for _ in range(3):
        assert await tenant.let_in(10) == 10
        await clock.forward(seconds=10)
    await pool.execute("UPDATE ingest.tenants SET rate_limit_per_minute = 5")
    assert await tenant.refused() == minute(5, 50)


async def test_duplicates_and_the_refused_burn_nothing(pool: Pool) -> None:
    """A repeat is answered as before though the limit is reached; a refused event's key is free."""
    clock = await stopped(pool, NOON)
    tenant = await door(pool, per_minute=3, per_day=5)
    first = await tenant.ask("k")
    for _ in range(5):
        again = await tenant.ask("k")
        assert (again.verdict, again.event_id) == (PENDING, first.event_id)
    assert await tenant.let_in(9) == 2
    assert (await tenant.ask("late")).verdict is LIMITED
    assert (await tenant.ask("k")).event_id == first.event_id
    assert await pool.fetchval("SELECT count(*) FROM ingest.admission") == 3
    assert await pool.fetchval("SELECT unfinished FROM ingest.backlog") == 3
    await clock.forward(minutes=1)
    assert (await tenant.ask("late")).verdict is NEW
    assert await tenant.let_in(9) == 1  # the day's: 5
    assert (await tenant.log(86_400))[1] == [5]


async def test_what_the_quota_refuses_is_not_counted(pool: Pool) -> None:
    """An event past the quota of unfinished ones burns no rate, and one past the rate no quota."""
    await stopped(pool, NOON)
    tenant = await door(pool, per_minute=5, unfinished=2)
    assert await tenant.let_in(9) == 2
    assert await tenant.refused() == Reached(LimitKind.UNFINISHED, 2)
    await pool.execute("UPDATE ingest.backlog SET unfinished = 0")
    assert await tenant.let_in(9) == 2
    await pool.execute("UPDATE ingest.backlog SET unfinished = 0")
    assert await tenant.let_in(9) == 1
    assert await pool.fetchval("SELECT unfinished FROM ingest.backlog") == 1
    assert await tenant.refused() == minute(5, 60)


async def test_tenants_of_one_group_have_their_own_limits(pool: Pool) -> None:
    """Tenants without a limit, with room, without room and unknown each get their own answer, in order."""
    await stopped(pool, NOON)
    free, some, none = [await door(pool, per_minute=limit) for limit in (None, 2, 0)]
    tenants = [free.tenant_id, some.tenant_id, none.tenant_id, new_id()] * 4
    answers = await asyncio.gather(
        *[free.admission.admit(Claim(tenant, new_id().encode(), new_id(), 1)) for tenant in tenants]
    )
    found = Counter(
        (tenants.index(tenant), answer.verdict, answer.reached) for tenant, answer in zip(tenants, answers, strict=True)
    )
    assert found == {
        (0, NEW, None): 4,
        (1, NEW, None): 2,
        (1, LIMITED, minute(2, 60)): 2,
        (2, LIMITED, minute(0, 60)): 4,
        (3, LIMITED, None): 4,
    }


async def test_exact_over_many_connections(pool: Pool) -> None:
    """Eight connections, the real clock: of 400 events exactly 100 are admitted."""
    tenant = await door(pool, per_minute=100)
    doors = [Door(pool, tenant.tenant_id) for _ in range(8)]
    assert sum(await asyncio.gather(*[one.let_in(50) for one in doors])) == 100


@pytest.mark.parametrize("limit", [1, 7, 240])
async def test_as_a_log_of_every_event_would_say(pool: Pool, limit: int) -> None:
    """Random steps compared with a plain list of times: the same number is admitted each time."""
    chance = random.Random(limit)
    clock = await stopped(pool, NOON)
    tenant = await door(pool, per_minute=limit)
    times: list[datetime] = []
    for _ in range(60):
        await clock.forward(seconds=chance.choice([0, 0.000001, 0.3, 5, 29.999999, 30, 61]))
        wanted = chance.randint(1, limit + 3)
        times = [time for time in times if time > clock.now - timedelta(minutes=1)]
        expected = min(wanted, limit - len(times))
        assert await tenant.let_in(wanted) == expected
        times += [clock.now] * expected
        assert len((await tenant.log())[0]) <= limit


async def test_a_high_limit_has_a_short_log(pool: Pool) -> None:
    """Above 240 a quarter of a second is one entry: no minute exceeds the limit, and room comes up to 0.25 s late."""
    clock = await stopped(pool, NOON)
    tenant = await door(pool, per_minute=2000)
    counted = 0
    for _ in range(700):
        counted += await tenant.let_in(2)
        await clock.forward(seconds=0.1)
    assert counted == 1400  # 20 a second: 1200 in any minute
    entries, numbers = await tenant.log()
    assert 236 <= len(entries) <= 241
    assert 1200 - 10 <= sum(numbers) <= 1200 + 10
    await pool.execute("UPDATE ingest.tenants SET rate_limit_per_minute = 1210")
    let_in = await tenant.let_in(100)
    assert 0 <= let_in <= 12
    await clock.forward(seconds=0.25)
    assert let_in + await tenant.let_in(100) >= 10


async def test_without_postgres_each_process_counts_for_itself(pool: Pool, postgres_server: PostgresServer) -> None:
    """The same limits, counted from the start of the outage; when PostgreSQL is back, its own count continues."""
    tenant = await door(pool, per_minute=3)
    tenant.admission = PostgresAdmission(pool, lambda _: TenantSettings(rate_limit_per_minute=3))
    assert await tenant.let_in(2) == 2
    postgres_server.kill()
    try:
        answers = await tenant.many(5)
        assert [answer.verdict for answer in answers].count(NEW) == 3
        refused = await tenant.refused()
    finally:
        postgres_server.start()
    assert refused is not None
    assert (refused.kind, refused.bound) == (LimitKind.SLIDING, 3)
    assert 55 <= refused.retry_after <= 60
    fresh = Door(pool, tenant.tenant_id)
    assert await fresh.let_in(5) == 1
