"""Any number of rates, as PostgreSQL counts them: scopes, costs, long windows, and several processes."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import asyncpg
import msgspec
import pytest

from runtime import postgres
from runtime.clock import micros_of
from runtime.ids import new_id
from services.ingest.ports import (
    AdmissionVerdict,
    Admitted,
    Claim,
    LimitKind,
    LimitState,
    Rate,
    Reached,
    TenantSettings,
)
from tests.fakes.ingest import MemoryAdmission
from tests.integration.ingest.clock import stopped
from tests.integration.ingest.door import Door, tenant_with
from tests.waiting import eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

NEW, LIMITED = AdmissionVerdict.NEW, AdmissionVerdict.LIMITED
NOON = datetime(2026, 4, 22, 12, 0, 0, tzinfo=UTC)
SCOPES = ("", "eu", "us")


@pytest.fixture
async def pools(pool: Pool, postgres_url: str) -> AsyncIterator[list[Pool]]:
    """Those of three processes."""
    async with AsyncExitStack() as stack:
        made = [await postgres.connect(postgres_url, name="test", size=2, deadline=30.0) for _ in range(3)]
        for one in made:
            stack.push_async_callback(one.close)
        yield made


@pytest.mark.parametrize("seed", range(4))
async def test_as_the_definition_says(pool: Pool, seed: int) -> None:
    """Random claims of a tenant with random limits: each answer is that of the fake, which sums up all events."""
    chance = random.Random(seed)
    clock = await stopped(pool, NOON)
    settings = TenantSettings(
        rate_limit_per_minute=chance.choice([None, 9]),
        daily_cap=chance.choice([None, 40]),
        max_unfinished_events=60,
        max_unfinished_bytes=300,
        max_scheduled_events=7,
        rates=_rates(chance),
    )
    tenant = await tenant_with(pool, settings)
    fake = MemoryAdmission(lambda _: settings, now=lambda: micros_of(clock.now))
    verdicts = set()
    for _ in range(150):
        await clock.forward(seconds=chance.choice([0, 0, 0, 0.3, 5, 29.999999, 60, 1700, 3600, 30_000]))
        claim = tenant.claim(
            chance.choice([b"", new_id().encode(), f"k{chance.randrange(9)}".encode()]),
            size=chance.choice([1, 3, 20]),
            ttl_s=chance.choice([20, 86_400, 7 * 86_400]),
            cost=chance.choice([1, 1, 1, 3]),
            scheduled=chance.random() < 0.2,
            scope=chance.choice(SCOPES),
        )
        real, expected = await tenant.admission.admit(claim), await fake.admit(claim)
        assert _ordered(real) == _ordered(expected)
        verdicts.add((real.verdict, real.reached.kind if real.reached else None))
    assert len(verdicts) >= 4, "too little happened"


async def test_exact_over_processes(pools: list[Pool], pool: Pool) -> None:
    """Of 300 events at once each rate admits as many as it may, and what one refuses takes nothing of another."""
    await stopped(pool, NOON)
    rates = (Rate(3600, 25, LimitKind.SLIDING, "eu"), Rate(86_400, 90, LimitKind.FIXED))
    tenant = await tenant_with(pool, TenantSettings(rate_limit_per_minute=60, rates=rates))
    doors = [Door(one, tenant.tenant_id) for one in pools] * 2
    scopes = ["eu"] * 100 + ["us"] * 30
    random.Random(1).shuffle(scopes)
    answers = await _spread(doors, scopes)
    admitted = [scope for scope, answer in zip(scopes, answers, strict=True) if answer.verdict is NEW]
    assert (admitted.count("eu"), admitted.count("us")) == (25, 30)
    # Each answer tells another rest, though they were given at once.
    left = sorted(state.remaining for answer in answers for state in answer.limits if state.window_s == 60)
    assert left == list(range(5, 60))
    answers = await _spread(doors, ["us"] * 100)
    assert sum(answer.verdict is NEW for answer in answers) == 5
    assert await tenant.backlog() == (60, 60, 0)


async def test_groups_of_the_same_tenants_in_any_order(pools: list[Pool], pool: Pool) -> None:
    """They lock in one order, so that there is no deadlock: while the first tenant is locked, no other one is."""
    tenants = [await tenant_with(pool, TenantSettings(rates=(Rate(3600, 90),))) for _ in range(6)]
    tenants.sort(key=lambda tenant: tenant.tenant_id)
    admissions = [Door(one, tenants[0].tenant_id).admission for one in pools] * 2
    chance = random.Random(3)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM ingest.backlog WHERE tenant_id = $1 FOR UPDATE", tenants[0].tenant_id)
        claims = [one.admit(tenant.claim(b"")) for one in admissions for tenant in chance.sample(tenants, len(tenants))]
        asked = asyncio.gather(*claims)
        await eventually(lambda: pool.fetchval("SELECT count(*) >= 3 FROM pg_locks WHERE NOT granted"))
        free = await connection.fetch(
            "SELECT 1 FROM ingest.backlog WHERE tenant_id <> $1 FOR UPDATE SKIP LOCKED", tenants[0].tenant_id
        )
        assert len(free) == len(tenants) - 1
    assert {answer.verdict for answer in await asked} == {NEW}
    assert [await tenant.backlog() for tenant in tenants] == [(6, 6, 0)] * 6


async def test_an_event_takes_what_it_costs(pool: Pool) -> None:
    """One that is too dear is refused, and a cheaper one after it is not; the answer tells when the dear one fits."""
    clock = await stopped(pool, NOON)
    tenant = await tenant_with(pool, TenantSettings(rates=(Rate(600, 10),)))
    for cost in (4, 3):
        assert (await tenant.ask(cost=cost)).verdict is NEW
        await clock.forward(seconds=60)
    answers = await asyncio.gather(*[tenant.ask(cost=cost) for cost in (5, 2, 8, 11)])
    assert [answer.verdict for answer in answers] == [LIMITED, NEW, LIMITED, LIMITED]
    refusals = [Reached(LimitKind.SLIDING, 10, wait, window_s=600, remaining=1) for wait in (480, 0, 540, 600)]
    # After the third, whose two stay until 600: 8 fit when both of the others are gone, and 11 never.
    assert [answer.reached for answer in answers] == [refusals[0], None, refusals[2], refusals[3]]


async def test_of_several_refusals_the_last_to_end_is_told(pool: Pool) -> None:
    """Of the rates that count the event, and before any quota."""
    clock = await stopped(pool, datetime(2026, 4, 22, 23, 59, 30, tzinfo=UTC))
    rates = (Rate(86_400, 1, LimitKind.FIXED), Rate(10, 1), Rate(50, 1), Rate(3600, 1, LimitKind.SLIDING, "eu"))
    tenant = await tenant_with(pool, TenantSettings(max_unfinished_events=1, rates=rates))
    assert (await tenant.ask(scope="eu")).verdict is NEW
    eu = Reached(LimitKind.SLIDING, 1, 3600, "eu", 3600)
    assert await tenant.refused(scope="eu") == eu
    assert await tenant.refused(scope="us") == Reached(LimitKind.SLIDING, 1, 50, window_s=50)
    await clock.forward(seconds=29)
    assert await tenant.refused(scope="us") == Reached(LimitKind.SLIDING, 1, 21, window_s=50)
    await clock.forward(seconds=21)
    assert await tenant.refused(scope="us") == Reached(LimitKind.UNFINISHED, 1)
    assert await tenant.refused(scope="eu") == replace(eu, retry_after=3550)


async def test_what_remains_and_when_more_does(pool: Pool) -> None:
    """A sliding window gets back what its first event took, a fixed one all of it when the next begins."""
    clock = await stopped(pool, NOON)
    rates = (Rate(3600, 10), Rate(7000, 20, LimitKind.FIXED))
    tenant = await tenant_with(pool, TenantSettings(rates=rates))
    ends = 7000 - int(NOON.timestamp()) % 7000
    first = (await tenant.ask()).limits
    assert first == (
        LimitState(LimitKind.SLIDING, "", 3600, 10, 9, 3600),
        LimitState(LimitKind.FIXED, "", 7000, 20, 19, ends),
    )
    await clock.forward(seconds=1000)
    second = (await tenant.ask(cost=2)).limits
    assert second == (
        replace(first[0], remaining=7, reset_s=2600),
        replace(first[1], remaining=17, reset_s=ends - 1000),
    )
    repeat = await tenant.ask("k")
    assert len(repeat.limits) == 2
    assert (await tenant.ask("k")).limits == ()


@pytest.mark.parametrize("window_s", [3600, 31 * 86_400])
async def test_a_long_window_has_a_short_log(pool: Pool, window_s: int) -> None:
    """However many events: at most 241 entries. No window exceeds the bound, and room comes a 240th of it late."""
    clock = await stopped(pool, NOON)
    tenant = await tenant_with(pool, TenantSettings(rates=(Rate(window_s, 500),)))
    chance = random.Random(window_s)
    step = timedelta(seconds=window_s / 300)
    admitted: list[tuple[datetime, int]] = []
    for _ in range(500):
        admitted.append((clock.now, await tenant.let_in(chance.randint(0, 6))))
        await clock.set(clock.now + step)
    assert len((await tenant.log(window_s))[0]) <= 241
    windows = [
        sum(number for at, number in admitted[first : first + 300] if at < start + timedelta(seconds=window_s))
        for first, (start, _) in enumerate(admitted[:200])
    ]
    assert max(windows) <= 500
    # About 900 were asked for in each window: it is full all the time, but for what comes late.
    assert min(windows) >= 450


async def test_keyless_events_beside_others(pool: Pool) -> None:
    """In one group: each is new, counts, and is recounted; a refused one leaves nothing."""
    await stopped(pool, NOON)
    tenant = await tenant_with(pool, TenantSettings(rate_limit_per_minute=5))
    known = await tenant.ask("k")
    keys = [b"", b"k", b"", b"new", b"", b"", b""]
    answers = await asyncio.gather(*[tenant.admission.admit(tenant.claim(key, size=10)) for key in keys])
    assert [answer.verdict.value for answer in answers] == [
        *("new", "pending", "new", "new", "new"),
        *("limited", "limited"),
    ]
    assert answers[1].event_id == known.event_id
    rows = await pool.fetch("SELECT event_id, key_hash, expires_at - created_at AS ttl FROM ingest.admission")
    assert {str(row["event_id"]) for row in rows} == {
        known.event_id,
        *(answer.event_id for answer in answers if answer.verdict is NEW),
    }
    assert sorted(row["ttl"] for row in rows) == [timedelta(hours=1)] * 3 + [timedelta(hours=24)] * 2
    assert await tenant.backlog() == (5, 41, 0)


async def test_tenants_of_one_group_have_their_own_rates(pool: Pool) -> None:
    """With none, with some, and with others: each answer is its own tenant's."""
    await stopped(pool, NOON)
    settings = [
        TenantSettings(),
        TenantSettings(rates=(Rate(10, 1),)),
        TenantSettings(rates=(Rate(20, 2, LimitKind.FIXED), Rate(30, 9))),
    ]
    tenants = [await tenant_with(pool, one) for one in settings]
    claims = [tenant.claim(b"") for _ in range(3) for tenant in tenants]
    answers = await asyncio.gather(*[tenants[0].admission.admit(claim) for claim in claims])
    found = [
        [(answer.verdict is NEW, *(state.remaining for state in answer.limits)) for answer in answers[place::3]]
        for place in range(3)
    ]
    assert found == [[(True,)] * 3, [(True, 0), (False,), (False,)], [(True, 1, 8), (True, 0, 7), (False,)]]


async def test_what_the_version_before_granted_counts(pool: Pool) -> None:
    """Its log of the minute and its sum of the day are read until admission has written its own."""
    clock = await stopped(pool, NOON)
    tenant = await tenant_with(pool, TenantSettings(rate_limit_per_minute=10, daily_cap=30))
    await pool.execute(
        "INSERT INTO ingest.rates (tenant_id, granted_at, granted, day, granted_today) VALUES ($1, $2, $3, $4, 25)",
        tenant.tenant_id,
        [NOON - timedelta(seconds=80), NOON - timedelta(seconds=20)],
        [100, 7],
        NOON.date(),
    )
    assert await tenant.let_in(9) == 3
    await clock.forward(seconds=40)
    assert await tenant.let_in(9) == 2
    assert await tenant.refused() == Reached(LimitKind.FIXED, 30, 43_160, window_s=86_400)
    await clock.forward(hours=12)
    assert await tenant.let_in(20) == 10


async def test_the_version_before_applies_all_rates(pool: Pool) -> None:
    """Its processes call the function by its old form, and are told of the minute or the day."""
    await stopped(pool, NOON)
    query = (
        "SELECT verdict, limited_by, bound, retry_after FROM ingest.admit("
        "$1::uuid[], $2::bytea[], $3::uuid[], $4::integer[], $5::text[], $6::bytea[], 1)"
    )
    expected = {
        "minute": TenantSettings(rates=(Rate(600, 1),)),
        "day": TenantSettings(daily_cap=1),
        "unfinished": TenantSettings(max_unfinished_events=1),
        "bytes": TenantSettings(max_unfinished_bytes=10),
    }
    waits = {"minute": 600, "day": 43_200, "unfinished": 0, "bytes": 0}
    for name, settings in expected.items():
        tenant = await tenant_with(pool, settings)
        keys, ids = [b"a", b"b"], [new_id(), new_id()]
        rows = await pool.fetch(query, [tenant.tenant_id] * 2, keys, ids, [10] * 2, [None] * 2, [None] * 2)
        assert [tuple(row) for row in rows] == [
            ("new", None, None, None),
            ("limited", name, 10 if name == "bytes" else 1, waits[name]),
        ]
        assert await pool.fetchval(
            "SELECT expires_at = created_at + interval '24 hours' FROM ingest.admission WHERE tenant_id = $1",
            tenant.tenant_id,
        )


def _rates(chance: random.Random) -> tuple[Rate, ...]:
    made = {
        (rate.window_s, rate.kind, rate.scope): rate
        for _ in range(chance.randint(2, 6))
        for rate in [
            Rate(
                chance.choice([10, 100, 3600, 7 * 86_400]),
                chance.choice([0, 3, 8, 30, 200]),
                chance.choice([LimitKind.SLIDING, LimitKind.FIXED]),
                chance.choice(SCOPES),
            )
        ]
    }
    return tuple(made.values())


def _ordered(admitted: Admitted) -> Admitted:
    states = sorted(admitted.limits, key=lambda state: (state.scope, state.window_s, state.kind.value))
    return msgspec.structs.replace(admitted, limits=tuple(states))


async def _spread(doors: list[Door], scopes: list[str]) -> list[Admitted]:
    """Ask for an event of each scope, all at once, over the doors."""
    return await asyncio.gather(
        *[
            doors[number % len(doors)].admission.admit(
                Claim(doors[0].tenant_id, new_id().encode(), new_id(), 1, scope=scope)
            )
            for number, scope in enumerate(scopes)
        ]
    )


async def test_a_count_past_the_largest_number_stays_there(pool: Pool) -> None:
    """The day is counted without a cap, too; the tenants of the same group have nothing to do with it."""
    await stopped(pool, NOON)
    largest = 2**31 - 1
    tenant = await tenant_with(pool, TenantSettings(rates=(Rate(60, 5, scope="eu"),)))
    other = await tenant_with(pool, TenantSettings())
    await tenant.ask(cost=10_000)
    await pool.execute("UPDATE ingest.rate_windows SET granted = ARRAY[$1::integer]", largest - 1)
    claims = [tenant.claim(b"one", cost=10_000), other.claim(b"two")]
    answers = await asyncio.gather(*map(tenant.admission.admit, claims))
    assert [answer.verdict for answer in answers] == [NEW, NEW]
    assert await other.backlog() == (1, 1, 0)
    assert (await tenant.log(86_400))[1] == [largest]
    await pool.execute("UPDATE ingest.tenants SET daily_cap = $1 WHERE id = $2", largest, tenant.tenant_id)
    refused = await tenant.refused()
    assert refused is not None
    assert (refused.kind, refused.bound, refused.remaining) == (LimitKind.FIXED, largest, 0)


async def test_a_refusal_at_the_end_of_a_window_names_the_rate(pool: Pool) -> None:
    """Though the next window begins while admission answers."""
    clock = await stopped(pool, NOON - timedelta(seconds=1))
    tenant = await tenant_with(pool, TenantSettings(rates=(Rate(3600, 1, LimitKind.FIXED),)))
    assert (await tenant.ask()).verdict is NEW
    await clock.step(seconds=0.4)
    assert await tenant.refused() == Reached(LimitKind.FIXED, 1, 1, window_s=3600)
