"""PostgreSQL and the hub away under load: no attempt is counted, nothing is lost or doubled, all goes on afterwards."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import nats
from runtime.ids import derived_id, new_id
from services.domain import topology
from tests.conftest import PostgresServer
from tests.contract.hub.servers import Server
from tests.integration.delivery.conftest import Trace
from tests.integration.realtime.conftest import Service, StartRealtime
from tests.integration.senders.processes import TOKEN, neighbours
from tests.streams import Streams
from tests.waiting import eventually

_TENANT = new_id()
# More than one consumer may have in hand and aside.
_MANY = 1500


def _push() -> event_pb2.Delivery:
    event_id, now_us = new_id(), time.time_ns() // 1000
    return event_pb2.Delivery(
        id=derived_id(event_id),
        event_id=event_id,
        tenant_id=_TENANT,
        event_type="order.success",
        channel=event_pb2.CHANNEL_PUSH,
        recipient=event_pb2.Recipient(user_id="u1"),
        accepted_at_us=now_us,
        planned_at_us=now_us,
        attempt=1,
    )


def _queued(one: event_pb2.Delivery) -> nats.Outgoing:
    return nats.Outgoing(topology.delivery_subject(one.channel, one.tenant_id), one.SerializeToString(), one.id)


@pytest.fixture
async def service(start_realtime: StartRealtime, hub: Server) -> AsyncIterator[Service]:
    """A realtime process beside a render that answers, with retries that are over within a second."""
    async with neighbours() as address:
        yield await start_realtime(
            hub, CLARION_SERVICE_TOKEN=TOKEN, CLARION_RENDER_ADDRESS=address, CLARION_RETRY_DELAYS_S="0.1,0.1"
        )


async def _kept(pool: "asyncpg.Pool[asyncpg.Record]") -> set[str]:
    try:
        rows = await pool.fetch("SELECT id FROM realtime.inbox WHERE tenant_id = $1", _TENANT)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return set()
    return {str(row["id"]) for row in rows}


async def _all_sent(trace: Trace, wanted: set[str]) -> bool:
    steps = await trace.steps()
    return {step.delivery_id for step in steps if step.status == trace_pb2.DELIVERY_STATUS_SENT} == wanted


def _outcomes(steps: Any) -> list[tuple[str, int, int, str]]:
    return sorted((step.delivery_id, step.attempt, step.status, step.reason) for step in steps)


async def test_postgresql_killed_under_pushes(
    service: Service,
    pool: "asyncpg.Pool[asyncpg.Record]",
    postgres_server: PostgresServer,
    connection: Client,
    streams: Streams,
) -> None:
    """Away for longer than all retries would take: each push is one first attempt that succeeded, and one row."""
    trace = Trace(streams, connection)
    ones = [_push() for _ in range(_MANY)]
    wanted = {one.id for one in ones}
    await streams.publish(*map(_queued, ones[:200]))
    await eventually(lambda: _kept(pool), every=0.001)
    postgres_server.kill()
    try:
        in_hand = await streams.in_hand(topology.DELIVERIES)
        await streams.publish(*map(_queued, ones[200:]))
        await eventually(lambda: len(in_hand) > 500)  # each for two seconds: more than two retries take
    finally:
        postgres_server.start()
    await eventually(lambda: _all_sent(trace, wanted), 60)
    assert await _kept(pool) == wanted
    sent = trace_pb2.DELIVERY_STATUS_SENT
    assert _outcomes(await trace.steps()) == sorted((id_, 1, sent, "") for id_ in wanted)
    assert await trace.waiting() == 0
    log = service.log.read_text()
    assert (log.count('"part_away"'), log.count('"part_back"')) == (1, 1)


async def test_the_hub_killed_under_pushes(
    service: Service,
    hub: Server,
    pool: "asyncpg.Pool[asyncpg.Record]",
    connection: Client,
    streams: Streams,
) -> None:
    """Every notification reaches its inbox meanwhile, and when the hub is back each is published as a first attempt."""
    trace = Trace(streams, connection)
    hub.kill()
    ones = [_push() for _ in range(_MANY)]
    wanted = {one.id for one in ones}
    in_hand = await streams.in_hand(topology.DELIVERIES)
    await streams.publish(*map(_queued, ones))

    async def all_kept() -> bool:
        return await _kept(pool) == wanted

    await eventually(all_kept, 60)
    await eventually(lambda: len(in_hand) > 500)
    assert await trace.steps() == []
    await asyncio.to_thread(hub.start)
    await eventually(lambda: _all_sent(trace, wanted), 90)
    sent = trace_pb2.DELIVERY_STATUS_SENT
    assert _outcomes(await trace.steps()) == sorted((id_, 1, sent, "") for id_ in wanted)
