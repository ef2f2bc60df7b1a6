"""The counts of the overview: exactly what the ledger's tables hold, in whatever order and how often it is written."""

import asyncio
import itertools
import random
import time
from collections import Counter
from typing import TypeAlias

import asyncpg
import pytest

from clarion.common.v1 import event_pb2
from runtime.ids import new_id
from services.ingest.activity.counts import NO_CLASS, SLOT_S, SLOTS_OF_DAY, Count, Span, fold
from services.ingest.activity.store import ActivityStore
from services.ingest.ledger.record import merge
from services.ingest.ledger.rows import Item
from services.ingest.ledger.store import LedgerStore
from tests.integration.ingest import builders
from tests.integration.ingest.builders import DEAD, QUEUED, RETRYING, SENT, SKIPPED

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TENANTS = [new_id() for _ in range(3)]
_ALL = "00000000-0000-0000-0000-000000000000"
_SLOT = int(time.time()) // SLOT_S
ALWAYS = Span(0, _SLOT + 10, 1)


@pytest.fixture
def activity(pool: Pool) -> ActivityStore:
    """The counts."""
    return ActivityStore(pool, events_days=90)


def _lives(tenant: str, chosen: random.Random) -> list[Item]:
    """Return the records of some events, each delivery with a life of its own."""
    items: list[Item] = []
    for number in range(12):
        one = builders.event(tenant, user_id=f"u{number}")
        id_ = builders.delivery_id(one)
        items.append(one)
        if number % 6 == 5:
            items.append(builders.plan(one, [], reason="no_active_template"))
            continue
        if number % 6 == 4:
            items.append(builders.plan(one, [builders.planned(one, "u", SKIPPED, reason="no_provider")]))
            continue
        items.append(builders.routed(one, {id_: QUEUED}))
        statuses = chosen.choice([[SENT], [RETRYING, SENT], [RETRYING, RETRYING, DEAD], [RETRYING]])
        items += [builders.attempted(one, id_, status, attempt) for attempt, status in enumerate(statuses, 1)]
    return items


async def _truth(pool: Pool, tenants: list[str]) -> Counter[tuple[int, int, int, str]]:
    rows = await pool.fetch(
        "SELECT ingest.slot_of(event_id) AS slot, channel, status, reason, count(*) AS n FROM ingest.deliveries"
        " WHERE tenant_id = ANY ($1) GROUP BY 1, 2, 3, 4"
        " UNION ALL SELECT ingest.slot_of(id), 0, 0, '', count(*) FROM ingest.events"
        " WHERE accepted_at IS NOT NULL AND tenant_id = ANY ($1) GROUP BY 1"
        " UNION ALL SELECT ingest.slot_of(id), 0, 3, route_reason, count(*) FROM ingest.events"
        " WHERE accepted_at IS NOT NULL AND total = 0 AND tenant_id = ANY ($1) GROUP BY 1, 4",
        tenants,
    )
    return Counter({(row["slot"], row["channel"], row["status"], row["reason"]): row["n"] for row in rows})


def _counted(counts: list[Count]) -> Counter[tuple[int, int, int, str]]:
    return Counter({one[:4]: one.n for one in counts if one.class_ == NO_CLASS})


@pytest.mark.parametrize("seed", range(4))
async def test_counts_are_those_of_the_tables(pool: Pool, activity: ActivityStore, seed: int) -> None:
    """Two processes write the same records in other groups and orders, at once, while the sums are rolled up."""
    chosen = random.Random(seed)
    items = [item for tenant in TENANTS for item in _lives(tenant, chosen)]

    async def write() -> None:
        mine = items * 2
        chosen.shuffle(mine)
        store = LedgerStore(pool, pool)
        while mine:
            size = chosen.randint(1, 40)
            await store.write(merge(mine[:size]))
            del mine[:size]

    await asyncio.gather(write(), write(), *(activity.roll_up() for _ in range(5)))
    truth = await _truth(pool, TENANTS)
    assert truth
    assert {status for _, _, status, _ in truth} >= {0, int(SENT), int(SKIPPED)}
    assert _counted(await activity.counts([], ALWAYS)) == truth
    assert _counted(await activity.counts(TENANTS[:1], ALWAYS)) == await _truth(pool, TENANTS[:1])
    sent = sum(n for (_, _, status, _), n in truth.items() if status == SENT)
    assert fold(await activity.counts([], ALWAYS)).total().count == sent

    while await activity.roll_up():
        pass
    assert await pool.fetchval("SELECT count(*) FROM ingest.activity_new") == 0
    assert _counted(await activity.counts([], ALWAYS)) == truth
    assert _counted(await activity.counts(TENANTS[:1], ALWAYS)) == await _truth(pool, TENANTS[:1])


async def test_processes_do_not_wait_for_each_other_s_counts(pool: Pool) -> None:
    """Two transactions write deliveries of the same tenants in another order: with rows of their own for the counts."""
    tenants = TENANTS[:2]
    events = [builders.event(tenant) for tenant in tenants for _ in range(2)]
    items: list[Item] = []
    for one in events:
        items += [one, builders.routed(one, {builders.delivery_id(one): QUEUED})]
    await LedgerStore(pool, pool).write(merge(items))
    update = "UPDATE ingest.deliveries SET status = 4 WHERE event_id = $1"
    async with pool.acquire() as first, pool.acquire() as second, first.transaction(), second.transaction():
        for connection in (first, second):
            await connection.execute("SET LOCAL lock_timeout = '5s'")
        await first.execute(update, events[0].id)
        await second.execute(update, events[2].id)
        await first.execute(update, events[3].id)
        await second.execute(update, events[1].id)
    assert _counted(await ActivityStore(pool, events_days=90).counts(tenants, ALWAYS)) == await _truth(pool, tenants)


async def test_old_counts_are_those_of_their_hour_and_day(pool: Pool, activity: ActivityStore) -> None:
    """After two days those of five minutes are deleted, and what comes later is added to the hour and the day."""
    store = LedgerStore(pool, pool)
    base = int(time.time()) - 3 * 86_400
    base -= base % 3600
    events = [builders.event(TENANTS[0]) for _ in range(3)]
    for one, minutes in zip(events, (1, 21, 59), strict=True):
        builders.age(one, (time.time() - base - 60 * minutes) / 86_400)
    await store.write(merge(list(events)))
    while await activity.roll_up():
        pass
    hour = base // SLOT_S
    day = hour - hour % SLOTS_OF_DAY
    kept = "SELECT slots, slot, channel, status, n FROM ingest.activity_sums WHERE tenant_id = $1"
    accepted = [(12, hour, 0, 0, 3), (288, day, 0, 0, 3)]
    for tenant in (TENANTS[0], _ALL):
        assert [tuple(row) for row in await pool.fetch(f"{kept} ORDER BY slots", tenant)] == accepted

    # As if they had been rolled up when they were new.
    await pool.execute(
        "INSERT INTO ingest.activity_sums SELECT tenant_id, 1, slot + 5, channel, status, reason, n FROM"
        " ingest.activity_sums WHERE slots = 12"
    )
    one = events[0]
    await store.write(merge([builders.routed(one, {builders.delivery_id(one): QUEUED})]))
    await store.write(merge([builders.attempted(one, builders.delivery_id(one), SENT)]))
    while await activity.roll_up():
        pass
    sms, sent = int(builders.SMS), int(SENT)
    found = await pool.fetch(f"{kept} AND n <> 0 AND durations IS NULL ORDER BY slots, channel", TENANTS[0])
    assert [tuple(row) for row in found] == [
        accepted[0],
        (12, hour, sms, sent, 1),
        accepted[1],
        (288, day, sms, sent, 1),
    ]


async def test_durations_are_added_to_those_before(pool: Pool, activity: ActivityStore) -> None:
    """Sums keep how many took how long, of whatever classes the next ones are."""
    store = LedgerStore(pool, pool)
    for milliseconds in (40, 2000, 40, 3):
        one = builders.event(TENANTS[0])
        at_us = one.accepted_at_us + milliseconds * 1000
        await store.write(merge([one, builders.routed(one, {builders.delivery_id(one): QUEUED})]))
        await store.write(merge([builders.attempted(one, builders.delivery_id(one), SENT, at_us=at_us)]))
        before = fold(await activity.counts([], ALWAYS)).total()
        while await activity.roll_up():
            pass
        for step in (1, 12, 288):
            span = Span(_SLOT - _SLOT % 288 - 288, _SLOT - _SLOT % 288 + 576, step)
            assert fold(await activity.counts([], span)).total() == before
    assert sorted(before.by_class.values()) == [1, 1, 2]


async def test_expired_counts_are_deleted(pool: Pool, activity: ActivityStore) -> None:
    """Each tenant's with its events; those of all tenants when the longest retention has deleted them."""
    for tenant in TENANTS:
        await builders.insert_tenant(pool, tenant, unfinished=0)
    # 0: as the installation has it, though the tenant has days of its own for something else.
    await pool.execute(
        "INSERT INTO ingest.retention (tenant_id, events_days, payload_days, inbox_days, outbox_days)"
        " VALUES ($1, 10, 5, 5, 5), ($2, 200, 5, 5, 5), ($3, 0, 5, 0, 0)",
        *TENANTS,
    )
    for tenant, days in itertools.product(TENANTS, (5, 50, 150, 250)):
        one = builders.event(tenant)
        builders.age(one, days)
        await LedgerStore(pool, pool).write(merge([one]))
    while await activity.roll_up():
        pass
    assert await activity.expire() == 3 + 1 + 2 + 1
    assert await activity.expire() == 0
    rows = await pool.fetch("SELECT tenant_id::text AS tenant, count(*) AS n FROM ingest.activity_sums GROUP BY 1")
    kept = {row["tenant"]: row["n"] for row in rows}
    # What is five days old is in a sum of its hour, too.
    assert [kept[tenant] for tenant in TENANTS] == [1 + 1, 3 + 1, 2 + 1]
    assert kept[_ALL] == 3 + 1


async def test_how_long_sending_took(pool: Pool, activity: ActivityStore) -> None:
    """From when the event was accepted or due until it was sent first; not of a replay."""
    store = LedgerStore(pool, pool)
    one, later, again = (builders.event(TENANTS[0]) for _ in range(3))
    later.due_at_us = later.accepted_at_us + 60_000_000
    for event in (one, later, again):
        await store.write(merge([event, builders.routed(event, {builders.delivery_id(event): QUEUED})]))
    await store.write(
        merge([builders.attempted(one, builders.delivery_id(one), SENT, at_us=one.accepted_at_us + 2_000_000)])
    )
    late = builders.attempted(later, builders.delivery_id(later), SENT, at_us=later.due_at_us + 50_000)
    await store.write(merge([late]))
    await store.write(merge([builders.attempted(again, builders.delivery_id(again), SENT, replay=1)]))
    durations = fold(await activity.counts([], ALWAYS)).by_channel[event_pb2.CHANNEL_SMS]
    assert durations.count == 2
    assert 40 <= durations.quantile_ms(0.5) <= 60
    assert 1700 <= durations.quantile_ms(0.95) <= 2400
