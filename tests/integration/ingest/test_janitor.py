"""What may go goes, and nothing else: messages that all have done with, keys past their day, a count that drifted."""

import asyncio
import datetime as dt
from typing import TypeAlias

import asyncpg
import pytest
from nats.aio.client import Client

from runtime import nats
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from runtime.write_probe import fault_of
from services.domain import provision, topology
from services.ingest.janitor import Janitor
from services.ingest.ledger.record import merge
from services.ingest.ledger.store import LedgerStore
from services.ingest.pressure import Pressure
from tests.integration.ingest import builders
from tests.integration.ingest.builders import QUEUED, SENT, SKIPPED
from tests.streams import Streams
from tests.waiting import eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TENANT = new_id()
# What the bucket of every test holds.
_CONFIGURATION = ("$KV.CONFIG.complete.", "$KV.CONFIG.pseudonyms.")
# Another consumer's.
OTHER = next(
    id_
    for id_ in iter(new_id, "")
    if topology.lane_of(id_) % topology.LANE_GROUPS != topology.lane_of(TENANT) % topology.LANE_GROUPS
)


@pytest.fixture
def janitor(connection: Client, pool: Pool) -> Janitor:
    """A janitor that keeps nothing for the duplicate window's sake."""
    return Janitor(connection, LedgerStore(pool, pool), keep_s=0)


async def test_events_stay_until_router_and_ledger_are_done(
    janitor: Janitor, streams: Streams, connection: Client
) -> None:
    """What lies before the first message that somebody has to do with goes when both have acked it."""
    for tenant_id in (TENANT, TENANT, OTHER, TENANT):
        await streams.publish(builders.accepted(builders.event(tenant_id)))
    await _ack_all(connection, [one for one in topology.router_consumers() if _serves(one, TENANT)])
    await _tidy(janitor)
    assert await streams.count(topology.EVENTS) == 4  # the ledger has read nothing
    await _ack_all(connection, topology.ledger_consumers()[:1])
    await _tidy(janitor)
    assert await streams.count(topology.EVENTS) == 2
    await _ack_all(connection, topology.router_consumers())
    await _tidy(janitor)
    assert await streams.count(topology.EVENTS) == 0


async def test_of_a_crowded_stream_one_lane_that_waits_keeps_only_its_own(
    streams: Streams, connection: Client, pool: Pool
) -> None:
    """What the other lanes have done with goes, though a message before it waits."""
    (config, *_) = provision.streams(replicas=1, max_bytes=1024**2)
    await connection.jetstream().update_stream(config)
    await streams.publish(builders.accepted(builders.event(OTHER)))
    with pytest.raises(ClarionError):
        await _flood(streams)
    await _ack_all(connection, [one for one in topology.router_consumers() if _serves(one, TENANT)])
    await _ack_all(connection, topology.ledger_consumers()[:1])
    await _tidy(Janitor(connection, LedgerStore(pool, pool)))
    subject = topology.event_subject(OTHER)
    info = await connection.jetstream().stream_info(topology.EVENTS, subjects_filter=subject)
    assert info.state.subjects == {subject: 1}
    await streams.publish(builders.accepted(builders.event(TENANT, payload_extra=bytes(200_000))))


async def test_the_janitor_says_how_full_the_streams_are(streams: Streams, connection: Client, pool: Pool) -> None:
    """What nobody has acknowledged makes every tenant's budget smaller."""
    pressure = Pressure()
    janitor = Janitor(connection, LedgerStore(pool, pool), pressure)
    await janitor.relieve()
    assert pressure.share == 1
    (config, *_) = provision.streams(replicas=1, max_bytes=1024**2)
    await connection.jetstream().update_stream(config)
    with pytest.raises(ClarionError):
        await _flood(streams)
    await janitor.relieve()
    assert pressure.share < 0.5


async def test_the_window_s_messages_stay(streams: Streams, connection: Client, pool: Pool) -> None:
    """Acked by all, but younger than the duplicate window: a restarted server must still know their ids."""
    await streams.publish(builders.accepted(builders.event(TENANT)))
    await _ack_all(connection, [*topology.router_consumers(), *topology.ledger_consumers()[:1]])
    await _tidy(Janitor(connection, LedgerStore(pool, pool)))
    assert await streams.count(topology.EVENTS) == 1


async def test_a_stream_that_fills_is_emptied_before_the_window_is_over(
    streams: Streams, connection: Client, pool: Pool
) -> None:
    """Of a full stream what all have done with makes room, or one tenant within its limits would shut out all."""
    janitor = Janitor(connection, LedgerStore(pool, pool))
    (config, *_) = provision.streams(replicas=1, max_bytes=1024**2)
    await connection.jetstream().update_stream(config)
    with pytest.raises(ClarionError) as full:
        await _flood(streams)
    assert full.value.code is Code.OVERLOADED
    stored = await streams.count(topology.EVENTS)
    await _ack_all(connection, topology.router_consumers())
    await _tidy(janitor)
    assert await streams.count(topology.EVENTS) == stored  # the ledger has read nothing
    await _ack_all(connection, topology.ledger_consumers()[:1])
    await _tidy(janitor)
    assert await streams.count(topology.EVENTS) < stored
    await streams.publish(builders.accepted(builders.event(OTHER)))


async def test_probes_neither_pile_up_nor_hold_anything_back(streams: Streams, connection: Client, pool: Pool) -> None:
    """Of the messages that prove health one stays in each stream; what was handled behind and before them goes."""
    janitor = Janitor(connection, LedgerStore(pool, pool), keep_s=0)
    for _ in range(3):
        assert await fault_of(connection, topology.probe_subject(topology.EVENTS)) == ""
        await streams.publish(builders.accepted(builders.event(TENANT)))
    for store in topology.STORES:
        assert [await fault_of(connection, topology.probe_subject(store)) for _ in range(5)] == [""] * 5
    await _ack_all(connection, [one for one in topology.router_consumers() if _serves(one, TENANT)], wanted=3)
    await _ack_all(connection, topology.ledger_consumers()[:1], wanted=3)
    await _tidy(janitor)
    jetstream = connection.jetstream()
    for store in topology.STORES:
        info = await jetstream.stream_info(topology.stream_of(store), subjects_filter=">")
        found = (info.state.subjects or {}).items()
        subjects = {name: count for name, count in found if not name.startswith(_CONFIGURATION)}
        # The last probe stays, or goes with what was handled before it.
        assert subjects in ({}, {topology.probe_subject(store): 1})


async def test_waiting_timers_stay(janitor: Janitor, streams: Streams, connection: Client) -> None:
    """Of TIMERS only what has fired and was handled goes."""
    due = dt.datetime.now(dt.UTC)
    target = topology.due_subject(builders.SMS, TENANT)
    publisher = nats.StreamPublisher(connection)
    for number, delay in enumerate((600, 0)):
        when = due + dt.timedelta(seconds=delay)
        headers = {"Nats-Schedule": f"@at {when.strftime('%Y-%m-%dT%H:%M:%SZ')}", "Nats-Schedule-Target": target}
        await publisher.publish(nats.Outgoing(topology.timer_subject(new_id(), str(number)), b"x", headers=headers))
    due_consumer = topology.delivery_consumers(builders.SMS)[-1]
    await _ack_all(connection, [due_consumer], wanted=1)
    await _tidy(janitor)
    info = await connection.jetstream().stream_info(topology.TIMERS, subjects_filter="timers.>")
    assert [subject.split(".")[1] for subject in info.state.subjects or {}] == ["wait"]


async def test_keys_past_their_day_go(janitor: Janitor, pool: Pool) -> None:
    """All of them at once, however many; younger ones stay."""
    add = """
        INSERT INTO ingest.admission (tenant_id, key_hash, event_id, created_at)
        SELECT $1, int4send(n), gen_random_uuid(), now() - $3::interval FROM generate_series(1, $2) AS n
    """
    await pool.execute(add, TENANT, 12_000, dt.timedelta(hours=25, minutes=1))
    await pool.execute(add, OTHER, 3, dt.timedelta(hours=24, minutes=30))
    await janitor.tidy()
    assert await pool.fetchval("SELECT count(*) FROM ingest.admission") == 3


async def test_what_a_crash_left_unfinished_is_found_behind_all_that_waits(janitor: Janitor, pool: Pool) -> None:
    """12,000 older events wait for their retries, rightly; of the one behind them only its end was forgotten."""
    add = """
        INSERT INTO ingest.events (id, tenant_id, accepted_at, routed_at, planned)
        SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, $1, now() - interval '1 minute',
            now() - interval '1 minute', 1
        FROM generate_series(1, 12000) AS n
    """
    await pool.execute(add, TENANT)
    forgotten = builders.event(TENANT)
    id_ = builders.delivery_id(forgotten)
    ended = builders.attempted(forgotten, id_, SENT)
    await LedgerStore(pool, pool).write(merge([forgotten, builders.routed(forgotten, {id_: QUEUED}), ended]))
    for _ in range(2):  # and once more from the beginning
        await pool.execute("UPDATE ingest.events SET finished_at = NULL WHERE id = $1", forgotten.id)
        for _ in range(3):
            await janitor.tidy()
        finished = await pool.fetch("SELECT id FROM ingest.events WHERE finished_at IS NOT NULL")
        assert [str(row["id"]) for row in finished] == [forgotten.id]


async def test_a_count_that_drifted_is_put_right(
    janitor: Janitor, streams: Streams, pool: Pool, connection: Client
) -> None:
    """From the ledger's unfinished events and the last minute's pending keys; not while the ledger is behind."""
    await builders.insert_tenant(pool, TENANT, unfinished=70)
    done, under_way = builders.event(TENANT), builders.event(TENANT)
    store = LedgerStore(pool, pool)
    await store.write(merge([done, builders.routed(done, {builders.delivery_id(done): SKIPPED}), under_way]))
    columns = "(tenant_id, key_hash, event_id, created_at)"
    add = f"INSERT INTO ingest.admission {columns} VALUES ($1, $2, $3, now() - $4::interval)"
    for seconds in (5, 120):
        await pool.execute(add, TENANT, new_id().encode(), new_id(), dt.timedelta(seconds=seconds))
    await pool.execute(add, TENANT, new_id().encode(), done.id, dt.timedelta(seconds=5))  # not yet marked as stored
    await streams.publish(builders.accepted(builders.event(TENANT)))
    await janitor.tidy()
    assert await _backlog(pool) == 69
    await _ack_all(connection, topology.ledger_consumers()[:1])
    await janitor.tidy()
    assert await _backlog(pool) == 2


async def test_a_recount_loses_nothing_that_happens_meanwhile(janitor: Janitor, pool: Pool) -> None:
    """An admission under way while the janitor counts is still counted."""
    await builders.insert_tenant(pool, TENANT, unfinished=10)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE ingest.backlog SET unfinished = unfinished + 3")
        tidying = asyncio.create_task(janitor.tidy())
        await eventually(lambda: pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
    await tidying
    assert await _backlog(pool) == 3


async def _flood(streams: Streams) -> None:
    for _ in range(10):
        await streams.publish(builders.accepted(builders.event(TENANT, payload_extra=bytes(200_000))))


async def _backlog(pool: Pool) -> int:
    found: int = await pool.fetchval("SELECT unfinished FROM ingest.backlog WHERE tenant_id = $1", TENANT)
    return found


async def _tidy(janitor: Janitor) -> None:
    """Twice: the first look at a stream is what the second measures its age by."""
    for _ in range(2):
        await janitor.tidy()


async def _ack_all(connection: Client, consumers: list[topology.Consumer], wanted: int = 0) -> None:
    """Read what waits for these consumers (at least wanted messages), and ack it as a worker does."""
    jetstream = connection.jetstream()
    for consumer in consumers:
        subscription = await jetstream.pull_subscribe_bind(consumer.name, consumer.stream)
        acked = 0
        while (await subscription.consumer_info()).num_pending or acked < wanted:
            for message in await subscription.fetch(100, timeout=30):
                await message.ack_sync()
                acked += 1
        await subscription.unsubscribe()


def _serves(consumer: topology.Consumer, tenant_id: str) -> bool:
    return topology.event_subject(tenant_id) in consumer.subjects
