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

    async def is_known() -> bool:
        """The service learns of it a moment later."""
        early = push()
        early.event_id = canceled.event_id
        await streams.publish(queued(early))
        (step, *_) = await eventually(lambda: trace.steps(early.id))
        return bool(step.status == trace_pb2.DELIVERY_STATUS_SKIPPED)

    await eventually(is_known)
    await streams.publish(queued(canceled), queued(other))

    async def both() -> "dict[str, tuple[trace_pb2.DeliveryStatus.ValueType, str]] | None":
        steps = [step for one in (canceled, other) for step in await trace.steps(one.id)]
        return {step.delivery_id: (step.status, step.reason) for step in steps} if len(steps) == 2 else None

    assert await eventually(both) == {
        canceled.id: (trace_pb2.DELIVERY_STATUS_SKIPPED, "canceled"),
        other.id: (trace_pb2.DELIVERY_STATUS_SENT, ""),
    }
    ids = [canceled.id, other.id]
    rows = await pool.fetch("SELECT id FROM realtime.inbox WHERE tenant_id = $1 AND id = ANY ($2)", TENANT, ids)
    assert [str(row["id"]) for row in rows] == [other.id]
