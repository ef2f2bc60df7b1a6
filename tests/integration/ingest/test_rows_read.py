"""Lists read a bounded number of rows, however the events are spread among tenants."""

import time
import uuid
from collections.abc import AsyncIterator
from typing import TypeAlias

import asyncpg
import asyncpg.pool
import pytest

from services.ingest.activity.counts import span_of
from services.ingest.activity.store import ActivityStore
from services.ingest.event_ids import lowest_id
from services.ingest.ledger.search import EventFinder, EventSearch

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

_DAY_US = 86_400_000_000
_EVENTS, _RARE = 30_000, 20
_LARGE, *_SMALL = [str(uuid.UUID(int=number)) for number in range(1, 201)]
# $1: the tenants, of which the first has all events but the oldest ones. $2: how many. $3: the others' first ones.
_FILL = """
INSERT INTO ingest.events (id, tenant_id, event_type, accepted_at, route_reason, total, finished_at)
SELECT (lpad(to_hex(t.ms), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
    ($1::uuid[])[CASE WHEN n <= $3::integer THEN 2 + n % (cardinality($1) - 1) ELSE 1 END], 'order',
    'epoch'::timestamptz + t.ms * interval '1 millisecond', 'no_provider', 0, now()
FROM generate_series(1, $2::integer) AS n
CROSS JOIN LATERAL (
    SELECT (extract(epoch FROM now()) * 1000)::bigint - 2592000000 + n * (2592000000 / $2::bigint) AS ms
) AS t
"""
# $1: the event, $2: its tenant, $3: the workflow, $4: how many.
_DELIVER = """
INSERT INTO ingest.deliveries (
    id, event_id, tenant_id, channel, status, reason, provider, attempts, replay, updated_at, step, workflow_id
)
SELECT gen_random_uuid(), $1, $2, 1, 4, '', '', 1, 0, now(), 'welcome', $3 FROM generate_series(1, $4::integer)
"""


@pytest.fixture
async def skewed(pool: Pool) -> AsyncIterator[Connection]:
    """A connection to a ledger in which one tenant has nearly everything."""
    async with pool.acquire() as connection:
        await connection.execute(_FILL, [_LARGE, *_SMALL], _EVENTS, _RARE)
        await connection.execute("VACUUM ANALYZE ingest.events")
        yield connection


async def _read(connection: Connection) -> int:
    """Return the rows that the transaction has read of events, of deliveries and of counts."""
    return int(
        await connection.fetchval(
            "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
            " WHERE schemaname = 'ingest' AND relname IN ('events', 'activity_sums', 'deliveries')"
        )
    )


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("event_type", [None, "none"])
async def test_a_page_of_many_tenants_of_which_few_have_events(
    skewed: Connection, mode: str, event_type: str | None
) -> None:
    """The planner never reads everybody's events to find those of tenants with few, whatever it knows."""
    async with skewed.transaction():
        await skewed.execute(f"SET LOCAL plan_cache_mode = {mode}")
        page = await EventFinder(skewed).page(EventSearch(tenant_ids=_SMALL, event_type=event_type), 50)  # type: ignore[arg-type]
        assert len(page.ids) == (0 if event_type else _RARE)
        assert page.next is None
        assert await _read(skewed) <= 10 * _RARE


async def test_a_page_before_which_there_is_nothing(skewed: Connection) -> None:
    """A time at which only others had events reads none of theirs."""
    async with skewed.transaction():
        since_us = time.time_ns() // 1000 - _DAY_US
        page = await EventFinder(skewed).page(EventSearch(tenant_ids=_SMALL, since_us=since_us), 50)  # type: ignore[arg-type]
        assert page.ids == []
        assert await _read(skewed) <= 10 * _RARE
    assert await skewed.fetchval("SELECT count(*) FROM ingest.events WHERE id >= $1", lowest_id(since_us)) > 900


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_the_newest_event_of_a_workflow(skewed: Connection, mode: str) -> None:
    """Among very many deliveries, its own and others', and after an event with a thousand of them."""
    workflow = str(uuid.UUID(int=7))
    newest = [row["id"] for row in await skewed.fetch("SELECT id FROM ingest.events ORDER BY id DESC OFFSET 9 LIMIT 3")]
    for event_id, of, number in ((newest[0], workflow, 1_000), (newest[1], workflow, 1), (newest[2], _LARGE, 2_000)):
        await skewed.execute(_DELIVER, event_id, _LARGE, of, number)
    await skewed.execute("VACUUM ANALYZE ingest.deliveries")
    async with skewed.transaction():
        await skewed.execute(f"SET LOCAL plan_cache_mode = {mode}")
        before = await _read(skewed)  # also of transactions before, until they are reported
        page = await EventFinder(skewed).page(EventSearch(tenant_ids=[_LARGE], workflow_id=workflow), 2)  # type: ignore[arg-type]
        assert page.ids == [str(one) for one in newest[:2]]
        assert await _read(skewed) - before <= 20


async def test_a_month_is_read_from_days(pool: Pool, skewed: Connection) -> None:
    """The sums of a month are two for each day and tenant here: accepted, and skipped for the reason."""
    store = ActivityStore(pool, events_days=90)
    while await store.roll_up():
        pass
    await skewed.execute("VACUUM ANALYZE ingest.activity_sums")
    now_us = time.time_ns() // 1000
    async with skewed.transaction():
        counts = await ActivityStore(skewed, events_days=90).counts(  # type: ignore[arg-type]
            [_LARGE], span_of(now_us - 30 * _DAY_US, now_us, now_us)
        )
        assert await _read(skewed) <= 2 * 31
    assert sum(one.n for one in counts) == 2 * (_EVENTS - _RARE)
