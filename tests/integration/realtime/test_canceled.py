"""The last look before a push: what was canceled after it was routed reaches no inbox."""

import asyncpg
from nats.aio.client import Client

from clarion.common.v1 import trace_pb2
from runtime import bucket_keys
from services.domain import topology
from tests.integration.delivery.conftest import Trace
from tests.integration.realtime.conftest import Service
from tests.integration.realtime.pushes import TENANT, push, queued
from tests.streams import Streams
from tests.waiting import eventually


async def test_a_canceled_event_is_not_pushed(
    service: Service, pool: "asyncpg.Pool[asyncpg.Record]", connection: Client, streams: Streams
) -> None:
    """What comes after the cancellation is skipped; another event's notification is in the inbox."""
    trace, canceled, other = Trace(streams, connection), push(), push()
    bucket = await connection.jetstream().key_value(bucket_keys.BUCKET)
    await bucket.put(topology.canceled_key(canceled.tenant_id, canceled.event_id), b"1750000000000000")
    await streams.publish(queued(canceled), queued(other))

    async def both() -> bool:
        return len(await trace.steps()) == 2

    await eventually(both)
    assert {step.delivery_id: (step.status, step.reason) for step in await trace.steps()} == {
        canceled.id: (trace_pb2.DELIVERY_STATUS_SKIPPED, "canceled"),
        other.id: (trace_pb2.DELIVERY_STATUS_SENT, ""),
    }
    rows = await pool.fetch("SELECT id FROM realtime.inbox WHERE tenant_id = $1", TENANT)
    assert [str(row["id"]) for row in rows] == [other.id]
