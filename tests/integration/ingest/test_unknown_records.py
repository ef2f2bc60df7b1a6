"""What a later version wrote: acknowledged only when it is stored, and read by a process that understands it."""

import asyncio
from typing import TypeAlias

import asyncpg
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from runtime.ids import new_id
from services.domain import topology
from services.ingest.ledger.consumer import LedgerConsumer
from services.ingest.ledger.rows import Item
from services.ingest.ledger.store import LedgerStore
from tests.integration.ingest import builders
from tests.integration.ingest.builders import SKIPPED
from tests.streams import Streams
from tests.waiting import eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TENANT = new_id()
# Field 1001, a message with one number: a step of a later version.
_LATER_STEP = b"\xca\x3e\x02\x08\x01"


def _of_later_version(event: event_pb2.Event) -> trace_pb2.TraceRecord:
    """A record with a step that this version does not know."""
    record = builders.canceled(event)
    record.ClearField("canceled")
    return trace_pb2.TraceRecord.FromString(record.SerializeToString() + _LATER_STEP)


async def test_they_are_kept_whole_and_hold_nothing_back(pool: Pool, connection: Client, streams: Streams) -> None:
    """The other records of the same message are written; each unknown one is stored once, and all is acknowledged."""
    event, newer = builders.event(TENANT), builders.event(TENANT)
    newer.id_scheme = 77
    unknown = _of_later_version(event)
    consumer = LedgerConsumer(connection, LedgerStore(pool, pool), interval_s=0.01)
    reading = asyncio.create_task(consumer.run())
    routed = builders.routed(event, {builders.delivery_id(event): SKIPPED})
    for _ in range(2):
        await streams.publish(builders.accepted(newer), builders.trace(unknown, routed), builders.accepted(event))

    async def all_read() -> bool:
        infos = [
            await connection.jetstream().consumer_info(one.stream, one.name) for one in topology.ledger_consumers()
        ]
        return not any(info.num_pending or info.num_ack_pending for info in infos)

    await eventually(all_read)
    await consumer.drain()
    await reading
    assert [
        row["id"] for row in await pool.fetch("SELECT id::text FROM ingest.events WHERE finished_at IS NOT NULL")
    ] == [event.id]
    rows = await pool.fetch("SELECT id, record FROM ingest.unknown_records")
    assert {row["id"]: row["record"] for row in rows} == {
        newer.id: newer.SerializeToString(),
        unknown.id: unknown.SerializeToString(),
    }


async def test_a_process_that_understands_them_reads_them(pool: Pool, connection: Client) -> None:
    """Written as if they came from the streams, and forgotten; what it does not understand either stays."""
    event = builders.event(TENANT)
    still_unknown = _of_later_version(event)
    items: list[Item] = [event, builders.canceled(event), still_unknown]
    await pool.executemany(
        "INSERT INTO ingest.unknown_records (id, is_event, record) VALUES ($1, $2, $3)",
        [(item.id, isinstance(item, event_pb2.Event), item.SerializeToString()) for item in items],
    )
    await LedgerConsumer(connection, LedgerStore(pool, pool)).reread()
    row = await pool.fetchrow("SELECT event_type, canceled_by FROM ingest.events WHERE id = $1", event.id)
    assert row is not None
    assert tuple(row) == (event.event_type, "operator")
    assert await pool.fetchval("SELECT array_agg(id) FROM ingest.unknown_records") == [still_unknown.id]
