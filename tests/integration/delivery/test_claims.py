"""Copies of one delivery, which the broker stored after it had forgotten the id: one is sent, whatever happens.

Workers on real NATS claim at a ledger on real PostgreSQL.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import claims_pb2_grpc
from runtime import clock, grpc, postgres
from services.delivery.claims import LedgerClaims
from services.delivery.ports import SendResult, Verdict
from services.domain import topology
from services.ingest.claims.servicer import NAME, ClaimServicer
from services.ingest.claims.store import ClaimStore
from services.ingest.ledger.consumer import LedgerConsumer
from services.ingest.ledger.store import LedgerStore
from tests.conftest import PostgresServer, free_port
from tests.fakes.delivery import FarSide, Neighbours, delivery, queued
from tests.integration.delivery.conftest import CreateWorker, Trace
from tests.integration.ingest.processes import TOKEN
from tests.streams import Streams
from tests.waiting import eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

SENT = trace_pb2.DELIVERY_STATUS_SENT
YES = SendResult(Verdict.SENT, "test")
LATER = SendResult(Verdict.POSTPONED, "test", reason="provider_throttled", retry_after_s=2.0)
BUSY = SendResult(Verdict.TRANSIENT, "test", reason="provider_timeout")


@dataclass
class Ledger:
    """The ledger, which serves when it is started. claims: a worker's client of it."""

    pool: Pool
    server: grpc.GrpcServer
    claims: LedgerClaims

    async def holder(self, one: event_pb2.Delivery) -> str:
        """Return the copy that has the claim."""
        found = await self.pool.fetchval("SELECT token FROM ingest.claims WHERE delivery_id = $1", one.id)
        return str(found or "")


@pytest.fixture
async def ledger(postgres_url: str, connection: Client) -> AsyncIterator[Ledger]:
    """A ledger that reads TRACE; it is not started yet."""
    async with AsyncExitStack() as stack:
        pool = await postgres.connect(postgres_url, name="test", size=4)
        stack.callback(pool.terminate)
        address = f"127.0.0.1:{free_port()}"
        server = grpc.GrpcServer(address, token=TOKEN)
        servicer = ClaimServicer(ClaimStore(pool), connection)
        server.add(claims_pb2_grpc.add_ClaimServiceServicer_to_server, servicer, NAME)
        channel = await stack.enter_async_context(grpc.channel(address))
        consumer = LedgerConsumer(connection, LedgerStore(pool, pool), interval_s=0.02)
        reading = asyncio.create_task(consumer.run())
        yield Ledger(pool, server, LedgerClaims(channel, grpc.Caller(TOKEN)))
        await server.stop(0)
        await consumer.drain()
        await reading


def _old() -> event_pb2.Delivery:
    return delivery(accepted_at_us=clock.now_us() - (topology.DUPLICATE_WINDOW_S + 60) * 1_000_000)


async def _store_copies(streams: Streams, one: event_pb2.Delivery, number: int) -> None:
    """Publish it as the router does each time that it plans the event, until the broker has so many."""
    await streams.remember_nothing(topology.DELIVERIES)

    async def are_stored() -> bool:
        if await streams.count(topology.DELIVERIES) < number:
            await streams.publish(queued(one))
        return await streams.count(topology.DELIVERIES) == number

    await eventually(are_stored)


async def test_two_copies_that_waited_together(
    create_worker: CreateWorker, streams: Streams, trace: Trace, ledger: Ledger
) -> None:
    """The ledger was away, each of two workers has one in hand, and none had an attempt when the ledger is back."""
    far_side = FarSide()
    one = _old()
    far_side.hung.add(one.tenant_id)  # so that the second asks while the first is being sent
    in_hand = await streams.in_hand(topology.DELIVERIES)
    for _ in range(2):
        create_worker(far_side, claims=ledger.claims, max_held=1)
    await _store_copies(streams, one, 2)
    await eventually(lambda: len(in_hand) == 2)
    assert far_side.calls == []
    await ledger.server.start()
    await eventually(lambda: _left(trace, 1), 20)
    assert far_side.attempted == [one.id]
    far_side.free.set()
    await eventually(trace.all_acked)
    assert far_side.attempted == [one.id]
    assert [step.status for step in await trace.steps()] == [SENT]


async def test_postgresql_is_killed_between_two_copies(
    create_worker: CreateWorker, streams: Streams, trace: Trace, ledger: Ledger, postgres_server: PostgresServer
) -> None:
    """The other one waits, and is dropped when PostgreSQL is back: the claim is still there, and no attempt is over."""
    far_side = FarSide()
    one = _old()
    far_side.hung.add(one.tenant_id)
    await ledger.server.start()
    create_worker(far_side, claims=ledger.claims)
    await _store_copies(streams, one, 1)
    await eventually(lambda: far_side.attempted)
    postgres_server.kill()
    try:
        in_hand = await streams.in_hand(topology.DELIVERIES)
        await _store_copies(streams, one, 2)
        await eventually(lambda: len(in_hand) == 2)
    finally:
        postgres_server.start()
    await eventually(lambda: _left(trace, 1), 40)
    far_side.free.set()
    await eventually(trace.all_acked, 20)
    assert far_side.attempted == [one.id]


@pytest.mark.parametrize("first", [LATER, BUSY], ids=["deferred", "retried"])
async def test_a_copy_beside_a_timer(
    create_worker: CreateWorker, streams: Streams, trace: Trace, ledger: Ledger, first: SendResult
) -> None:
    """The copy of a delivery that waits in TIMERS is dropped, and the timer is sent."""
    far_side = FarSide([first, YES])
    one = _old()
    await ledger.server.start()
    create_worker(far_side, claims=ledger.claims, delays_s=(3.0,))
    await _store_copies(streams, one, 1)
    await eventually(lambda: _equals(trace.waiting, 1))
    far_side.hung.add(one.tenant_id)
    await _store_copies(streams, one, 2)
    await eventually(lambda: _is_alone_in_the_second_call(far_side, trace), 20)
    far_side.free.set()
    await eventually(lambda: trace.is_over(one.id, SENT))
    await eventually(trace.all_acked)
    assert len(far_side.calls) == 2
    assert await ledger.holder(one) == "DELIVERIES.1"


async def test_a_young_delivery_is_claimed_when_its_timer_is_due(
    create_worker: CreateWorker, streams: Streams, trace: Trace, ledger: Ledger
) -> None:
    """It was deferred without a claim. It or its copy is first, and the other one is dropped."""
    far_side = FarSide([LATER, YES])
    ages = [0]
    await ledger.server.start()
    create_worker(far_side, claims=ledger.claims, now=lambda: clock.now_us() + ages[0])
    one = delivery()
    await _store_copies(streams, one, 1)
    await eventually(lambda: _equals(trace.waiting, 1))
    far_side.hung.add(one.tenant_id)
    assert not await ledger.holder(one)
    ages[0] = topology.DUPLICATE_WINDOW_S * 1_000_000
    await _store_copies(streams, one, 2)
    await eventually(lambda: _is_alone_in_the_second_call(far_side, trace), 20)
    far_side.free.set()
    await eventually(trace.all_acked)
    assert [step.status for step in await trace.steps()] == [SENT]
    assert len(far_side.calls) == 2


async def test_a_worker_ends_with_a_claim(
    create_worker: CreateWorker,
    streams: Streams,
    trace: Trace,
    ledger: Ledger,
    neighbours: tuple[Neighbours, str],
) -> None:
    """Its message is delivered to another worker, which sends it; a copy that came meanwhile was dropped."""
    neighbours[0].render_away = True
    far_side = FarSide()
    one = _old()
    await streams.redeliver_after(2)
    await ledger.server.start()
    first = create_worker(far_side, claims=ledger.claims)
    await _store_copies(streams, one, 1)
    await eventually(lambda: _equals(lambda: ledger.holder(one), "DELIVERIES.1"))
    await first.drain()
    neighbours[0].render_away = False
    await _store_copies(streams, one, 2)
    create_worker(far_side, claims=ledger.claims)
    await eventually(trace.all_acked, 20)
    assert far_side.attempted == [one.id]
    assert await ledger.holder(one) == "DELIVERIES.1"


async def test_a_dead_letter_that_is_replayed_twice(
    create_worker: CreateWorker, streams: Streams, trace: Trace, ledger: Ledger
) -> None:
    """PostgreSQL ended before it had committed the first time: the replay has two copies, and one is sent."""
    far_side = FarSide()
    await ledger.server.start()
    create_worker(far_side, claims=ledger.claims)
    one = _old()
    one.replay = 1
    far_side.hung.add(one.tenant_id)
    await _store_copies(streams, one, 2)
    await eventually(lambda: _left(trace, 1))
    far_side.free.set()
    await eventually(trace.all_acked)
    assert [step.replay for step in await trace.steps()] == [1]
    assert far_side.attempted == [one.id]


async def _is_alone_in_the_second_call(far_side: FarSide, trace: Trace) -> bool:
    """Return whether the far side was called twice, and nothing else waits or is under way."""
    return len(far_side.calls) == 2 and not await trace.waiting() and await trace.left() == 1


async def _left(trace: Trace, number: int) -> bool:
    return await trace.left() == number


async def _equals(find: Callable[[], Awaitable[object]], wanted: object) -> bool:
    return await find() == wanted
