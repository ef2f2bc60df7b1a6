"""How long a key is remembered: as its event says, whoever writes the row; then it is swept."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import asyncpg
import pytest

from runtime.ids import new_id
from services.ingest.admission_sweep import AdmissionSweep
from services.ingest.ledger.record import merge
from services.ingest.ledger.store import LedgerStore
from services.ingest.ports import AdmissionVerdict, TenantSettings
from tests.integration.ingest import builders
from tests.integration.ingest.clock import stopped
from tests.integration.ingest.door import tenant_with

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

NEW, PENDING = AdmissionVerdict.NEW, AdmissionVerdict.PENDING
WEEK_S = 7 * 86_400
NOON = datetime(2026, 4, 22, 12, 0, 0, tzinfo=UTC)
_ADD = """
    INSERT INTO ingest.admission (tenant_id, key_hash, event_id, created_at, expires_at)
    SELECT gen_random_uuid(), int4send(n), gen_random_uuid(), now() - $2::interval, now() - $3::interval
    FROM generate_series(1, $1) AS n
"""


@pytest.mark.parametrize("ttl_s", [1, 3600, WEEK_S, 30 * 86_400])
async def test_a_key_is_remembered_as_long_as_its_event_says(pool: Pool, ttl_s: int) -> None:
    """To the microsecond, from the first call on; what a repeat says changes nothing."""
    clock = await stopped(pool, NOON)
    tenant = await tenant_with(pool, TenantSettings())
    first = await tenant.ask("k", ttl_s=ttl_s)
    await clock.set(NOON + timedelta(seconds=ttl_s, microseconds=-1))
    again = await tenant.ask("k", ttl_s=10 * ttl_s)
    assert (again.verdict, again.event_id) == (PENDING, first.event_id)
    await clock.set(NOON + timedelta(seconds=ttl_s))
    fresh = await tenant.ask("k", ttl_s=5)
    assert fresh.verdict is NEW
    await clock.forward(seconds=4)
    assert (await tenant.ask("k")).event_id == fresh.event_id
    await clock.forward(seconds=1)
    assert (await tenant.ask("k")).verdict is NEW


async def test_a_row_without_an_expiry_is_good_for_a_day(pool: Pool) -> None:
    """As the version before wrote it."""
    clock = await stopped(pool, NOON)
    tenant = await tenant_with(pool, TenantSettings())
    await tenant.ask("k", ttl_s=WEEK_S)
    await pool.execute("UPDATE ingest.admission SET expires_at = NULL")
    await clock.set(NOON + timedelta(days=1, microseconds=-1))
    assert (await tenant.ask("k")).verdict is PENDING
    await clock.set(NOON + timedelta(days=1))
    assert (await tenant.ask("k")).verdict is NEW


async def test_the_ledger_knows_the_expiry(pool: Pool) -> None:
    """Of an event that was accepted without PostgreSQL: a row until then. A younger claim of the key is corrected."""
    store = LedgerStore(pool, pool)
    tenant = await tenant_with(pool, TenantSettings())
    week, day = builders.event(tenant.tenant_id, dedupe_ttl_s=WEEK_S), builders.event(tenant.tenant_id)
    claimed = builders.event(tenant.tenant_id, dedupe_ttl_s=WEEK_S)
    add = "INSERT INTO ingest.admission (tenant_id, key_hash, event_id, created_at) VALUES ($1, $2, $3, now() + $4)"
    await pool.execute(add, tenant.tenant_id, claimed.dedupe_key, new_id(), timedelta(days=6))
    await store.write(merge([week, day, claimed]))
    rows = await pool.fetch("SELECT event_id, stored, expires_at - created_at AS ttl FROM ingest.admission")
    found = {str(row["event_id"]): (row["stored"], row["ttl"]) for row in rows}
    assert found == {
        week.id: (True, timedelta(days=7)),
        day.id: (True, timedelta(days=1)),
        claimed.id: (True, None),
    }


async def test_the_sweep_goes_round_the_table(pool: Pool) -> None:
    """A part at a time, and then from the start again; keys that are still good stay, however old."""
    await pool.execute(_ADD, 2000, timedelta(days=8), timedelta(hours=1, minutes=1))
    await pool.execute(_ADD, 3, timedelta(days=20), -timedelta(days=10))
    await pool.execute(_ADD, 3, timedelta(days=7), timedelta(minutes=59))
    await pool.execute("INSERT INTO ingest.admission SELECT gen_random_uuid(), '\\x01', gen_random_uuid()")
    pages = await pool.fetchval("SELECT pg_relation_size('ingest.admission') / 8192")
    sweep, left = AdmissionSweep(pool, batch=3, least=10), []
    for _ in range(-(-pages // 10)):
        await sweep.run()
        left.append(await pool.fetchval("SELECT count(*) FROM ingest.admission"))
    assert left[-1] == 7
    assert left == sorted(left, reverse=True)
    assert 7 < left[0] < 2007
    await pool.execute("UPDATE ingest.admission SET expires_at = now() - interval '2 hours' WHERE key_hash <> '\\x01'")
    for _ in range(-(-pages // 10)):
        await sweep.run()
    assert await pool.fetchval("SELECT count(*) FROM ingest.admission") == 1


async def test_the_sweep_waits_for_nobody(pool: Pool) -> None:
    """A key that is being claimed again is left for the next time."""
    await pool.execute(_ADD, 5, timedelta(days=8), timedelta(days=7))
    sweep = AdmissionSweep(pool)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE ingest.admission SET stored = true WHERE key_hash = int4send(3)")
        await asyncio.wait_for(sweep.run(), 30)
        assert await pool.fetchval("SELECT count(*) FROM ingest.admission") == 1
    await sweep.run()
    assert await pool.fetchval("SELECT count(*) FROM ingest.admission") == 0


async def test_a_corrected_claim_gives_its_room_back(pool: Pool) -> None:
    """Where the event that is stored is another one: in the quota that it was counted in."""
    tenant = await tenant_with(pool, TenantSettings())
    waiting = await tenant.ask("waiting", size=30, scheduled=True)
    under_way = await tenant.ask("under way", size=40)
    assert await tenant.backlog() == (1, 40, 1)
    await tenant.admission.correct(tenant.tenant_id, b"waiting", waiting.event_id, new_id())
    assert await tenant.backlog() == (1, 40, 0)
    await tenant.admission.correct(tenant.tenant_id, b"under way", under_way.event_id, new_id())
    assert await tenant.backlog() == (0, 0, 0)
