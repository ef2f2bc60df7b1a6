"""While the broker takes no records: each delivery is attempted once, stays in hand, and no more is taken."""

import asyncio

from clarion.common.v1 import trace_pb2
from services.delivery.ports import SendResult, Verdict
from services.domain import topology
from tests.fakes.delivery import FarSide, delivery, queued
from tests.integration.delivery.conftest import CreateWorker, Trace
from tests.streams import Streams
from tests.waiting import eventually

RETRYING, SENT = trace_pb2.DELIVERY_STATUS_RETRYING, trace_pb2.DELIVERY_STATUS_SENT
BUSY, YES = SendResult(Verdict.TRANSIENT, "test", reason="provider_timeout"), SendResult(Verdict.SENT, "test")


async def test_what_was_sent_is_not_sent_again(create_worker: CreateWorker, streams: Streams, trace: Trace) -> None:
    """It is recorded once there is room; until then no more deliveries are taken than may be held."""
    far_side = FarSide()
    await streams.refuse(topology.TRACE)
    in_hand = await streams.in_hand(topology.DELIVERIES)
    create_worker(far_side, max_held=2)
    first = delivery()
    ones = [first, *[delivery(first.tenant_id) for _ in range(4)]]
    await streams.publish(*map(queued, ones))
    await eventually(lambda: len(in_hand) == 2 or len(far_side.calls) > 2)
    assert len(set(far_side.attempted)) == len(far_side.calls) == 2
    await streams.relent(topology.TRACE)
    await eventually(trace.all_acked)
    assert sorted(far_side.attempted) == sorted(one.id for one in ones)
    assert sorted(step.delivery_id for step in await trace.steps()) == sorted(one.id for one in ones)


async def test_a_retry_is_made_by_its_timer_alone(create_worker: CreateWorker, streams: Streams, trace: Trace) -> None:
    """The timer is stored and fires though the first attempt's record is not: no attempt is made twice."""
    far_side = FarSide([BUSY, YES])
    await streams.refuse(topology.TRACE)
    in_hand, due = await streams.in_hand(topology.DELIVERIES), await streams.in_hand(topology.TIMERS)
    create_worker(far_side, delays_s=(0.1,))
    one = delivery()
    await streams.publish(queued(one))
    await eventually(lambda: (in_hand and due) or len(far_side.calls) > 2)
    await streams.relent(topology.TRACE)
    await eventually(trace.all_acked)
    assert [attempt for _, attempt, _ in far_side.calls] == [1, 2]
    steps = await trace.steps()
    assert sorted((step.attempt, step.status) for step in steps) == [(1, RETRYING), (2, SENT)]


async def test_what_waits_to_be_recorded_takes_no_slot(
    create_worker: CreateWorker, streams: Streams, trace: Trace
) -> None:
    """Else all that its tenant has would move to TIMERS, and nothing would bound that."""
    far_side = FarSide()
    await streams.refuse(topology.TRACE)
    in_hand = await streams.in_hand(topology.DELIVERIES)
    create_worker(far_side, slot_limit=1)
    first = delivery()
    second = delivery(first.tenant_id)
    await streams.publish(queued(first))
    await eventually(lambda: in_hand)
    await streams.publish(queued(second))
    await eventually(lambda: second.id in far_side.attempted)
    assert await trace.waiting() == 0
    await streams.relent(topology.TRACE)
    await eventually(trace.all_acked)
    assert far_side.attempted == [first.id, second.id]


async def test_a_worker_that_is_to_end_lets_go(create_worker: CreateWorker, streams: Streams, trace: Trace) -> None:
    """Draining does not wait for room; unrecorded deliveries stay unacked, to be delivered again."""
    far_side = FarSide()
    await streams.refuse(topology.TRACE)
    in_hand = await streams.in_hand(topology.DELIVERIES)
    worker = create_worker(far_side)
    one = delivery()
    await streams.publish(queued(one))
    await eventually(lambda: in_hand)
    await asyncio.wait_for(worker.drain(), 30)
    assert far_side.attempted == [one.id]
    assert not await trace.all_acked()
