"""PostgreSQL and the hub away under load: no attempt is counted, nothing is lost or doubled, all goes on afterwards."""

import asyncio
from typing import Any

import asyncpg
from nats.aio.client import Client

from clarion.common.v1 import trace_pb2
from services.domain import topology
from tests.conftest import PostgresServer
from tests.contract.hub.servers import Server
from tests.integration.delivery.conftest import Trace
from tests.integration.realtime.conftest import Service
from tests.integration.realtime.pushes import TENANT, push, queued
from tests.streams import Streams
from tests.waiting import eventually

# More than one consumer may have in hand and aside.
_MANY = 1500


async def _kept(pool: "asyncpg.Pool[asyncpg.Record]") -> set[str]:
    try:
        rows = await pool.fetch("SELECT id FROM realtime.inbox WHERE tenant_id = $1", TENANT)
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
    ones = [push() for _ in range(_MANY)]
    wanted = {one.id for one in ones}
    await streams.publish(*map(queued, ones[:200]))
    await eventually(lambda: _kept(pool), every=0.001)
    postgres_server.kill()
    try:
        in_hand = await streams.in_hand(topology.DELIVERIES)
        await streams.publish(*map(queued, ones[200:]))
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
    ones = [push() for _ in range(_MANY)]
    wanted = {one.id for one in ones}
    in_hand = await streams.in_hand(topology.DELIVERIES)
    await streams.publish(*map(queued, ones))

    async def all_kept() -> bool:
        return await _kept(pool) == wanted

    await eventually(all_kept, 60)
    await eventually(lambda: len(in_hand) > 500)
    assert await trace.steps() == []
    await asyncio.to_thread(hub.start)
    await eventually(lambda: _all_sent(trace, wanted), 90)
    sent = trace_pb2.DELIVERY_STATUS_SENT
    assert _outcomes(await trace.steps()) == sorted((id_, 1, sent, "") for id_ in wanted)
