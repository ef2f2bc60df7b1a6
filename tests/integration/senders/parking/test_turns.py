"""How long a turn lasts, and what it does when it is interrupted or refused."""

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.senders.v1 import endpoints_pb2
from runtime import clock, parts
from runtime.ids import derived_id_at, new_id
from services.delivery.ports import SendResult, Verdict
from services.domain import topology
from services.domain.reasons import Reason
from services.senders.webhooks.parking import breaker
from services.senders.webhooks.parking.breaker import BreakerPolicy
from tests.integration.senders.parking.test_modes import CONTEXT, servicer
from tests.integration.senders.parking.world import DOWN, GONE, OK, World
from tests.unit.senders.builders import TENANT
from tests.waiting import eventually

SENT, FAILED = trace_pb2.DELIVERY_STATUS_SENT, trace_pb2.DELIVERY_STATUS_FAILED
REFUSED = SendResult(Verdict.PERMANENT, "webhook", Reason.ADDRESS_NOT_ALLOWED, "10.0.0.1")
NO_BODY = SendResult(Verdict.POSTPONED, "", Reason.BODY_AWAY)
LOST_BODY = SendResult(Verdict.PERMANENT, "", Reason.CONTENT_DELETED)
# An endpoint that is down is probed only if somebody wants it.
RARELY = BreakerPolicy(probe_s=600.0, longest_probe_s=600.0)


async def _in_order(world: World, endpoint_id: str, count: int) -> list[event_pb2.Delivery]:
    now = time.time_ns() // 1000
    return [(await world.deliver(endpoint_id, accepted_at_us=now + number))[0] for number in range(count)]


async def _is_down(world: World, endpoint_id: str, waiting: int) -> list[event_pb2.Delivery]:
    """Let an endpoint be down, with so many deliveries that wait."""
    world.receivers.answer(endpoint_id, DOWN)
    first = await world.deliver(endpoint_id, 5)
    await eventually(lambda: world.is_published(endpoint_id, "open"))
    later = await world.deliver(endpoint_id, waiting)
    await eventually(lambda: world.has_rows(endpoint_id, later))
    return [*first, *later]


async def test_a_batch_in_order_that_is_interrupted(world: World) -> None:
    """SIGTERM while the third one waits for another part: the first two are recorded, and not sent again."""
    endpoint_id = await world.endpoint(mode="ordered", batch_size=10, active=False)
    first = await world.start(lease_s=60.0)
    made = await _in_order(world, endpoint_id, 5)
    await eventually(lambda: world.has_rows(endpoint_id, made))

    def answer(delivery: event_pb2.Delivery) -> SendResult:
        if delivery.id == made[2].id:
            raise parts.PartAway(parts.INGEST)
        return OK

    world.receivers.answers[endpoint_id] = answer
    await world.endpoint(id=endpoint_id, active=True)
    await eventually(lambda: made[2].id in world.receivers.delivered(endpoint_id))
    first.parking.own.stop()
    await first.stop()
    assert await world.are_sent(made[:2])
    assert {str(row["delivery_id"]) for row in await world.rows(endpoint_id)} == {one.id for one in made[2:]}
    assert (await world.state(endpoint_id))["lease_owner"] is None
    world.receivers.answers.clear()
    world.receivers.calls.clear()
    await world.start()
    await eventually(lambda: world.are_sent(made))
    assert world.receivers.delivered(endpoint_id) == [one.id for one in made[2:]]


async def test_turns_yield(world: World) -> None:
    """Two endpoints with a backlog have all turns that the tenant may have: a third one gets its own meanwhile."""
    busy = [await world.endpoint(rate_per_s=5) for _ in range(2)]
    ordered, other = await world.endpoint(mode="ordered", batch_size=100), await world.endpoint(rate_per_s=100)
    process = await world.start()
    process.drain._shares.per_tenant = 2
    process.drain._yield_s = 0.5
    waiting = [one for endpoint_id in busy for one in await world.deliver(endpoint_id, 200)]
    await eventually(lambda: all(world.receivers.delivered(endpoint_id) for endpoint_id in busy))
    late = [*await world.deliver(other, 2), *await world.deliver(ordered, 2)]
    await eventually(lambda: world.are_sent(late))
    assert not await world.are_sent(waiting)
    assert all([await world.rows(endpoint_id) for endpoint_id in busy])
    state = await world.state(busy[0])
    assert (state["state"], state["failures"]) == (breaker.CLOSED, 0)


@pytest.mark.parametrize("mode", ["ordered", "polled"])
async def test_an_endpoint_that_is_down_is_not_push_any_more(world: World, mode: str) -> None:
    """Its breaker is closed at once, and an ordered one is attempted on its schedule."""
    endpoint_id = await world.endpoint()
    await world.start(policy=RARELY, delays_s=(600.0,) * 3)
    made = await _is_down(world, endpoint_id, 3)
    await world.endpoint(id=endpoint_id, mode=mode)

    async def is_closed() -> bool:
        return bool((await world.state(endpoint_id))["state"] == breaker.CLOSED)

    async def is_unpublished() -> bool:
        return await world.published_state(endpoint_id) is None

    await eventually(is_closed)
    await eventually(is_unpublished)
    if mode == "ordered":
        await eventually(lambda: _is_held(world, endpoint_id))
        world.receivers.answer(endpoint_id, OK)
        await world.endpoint(id=endpoint_id, url="https://hooks.example.org/new")
        await eventually(lambda: world.are_sent(made[-3:]))


async def test_an_ordered_endpoint_that_is_enabled_has_no_slow_start(world: World) -> None:
    """Nothing would end it."""
    endpoint_id = await world.endpoint(mode="ordered", active=False)
    await world.start()
    made = await _in_order(world, endpoint_id, 3)
    await eventually(lambda: world.has_rows(endpoint_id, made))
    await world.endpoint(id=endpoint_id, active=True)
    await eventually(lambda: world.are_sent(made))
    await eventually(lambda: world.is_forgotten(endpoint_id))
    assert await world.published_state(endpoint_id) is None


@pytest.mark.parametrize("answer", [GONE, REFUSED])
async def test_a_probe_that_is_refused_costs_one_delivery(world: World, answer: SendResult) -> None:
    """The others wait for the next probe, or until the endpoint is disabled."""
    endpoint_id = await world.endpoint()
    process = await world.start(policy=RARELY, delays_s=(0.05,) * 10)
    await _is_down(world, endpoint_id, 20)
    world.receivers.answer(endpoint_id, answer)
    ask = endpoints_pb2.ProbeEndpointRequest(tenant_id=TENANT, endpoint_id=endpoint_id)
    await servicer(world, process).ProbeEndpoint(ask, CONTEXT)

    async def has_paused() -> bool:
        state = await world.state(endpoint_id)
        return bool(state["probes"] and state["lease_owner"] is None and state["wake_us"] == state["next_probe_us"])

    await eventually(has_paused)
    assert Counter(step.status for step in await world.attempts())[FAILED] == 1
    assert (await world.state(endpoint_id))["parked"] >= 19


async def test_410_to_a_backlog_ends_the_turn(world: World) -> None:
    """What waits is kept until the endpoint is disabled."""
    endpoint_id = await world.endpoint(mode="ordered", batch_size=50, active=False)
    await world.start()
    made = await _in_order(world, endpoint_id, 10)
    await eventually(lambda: world.has_rows(endpoint_id, made))
    world.receivers.answer(endpoint_id, GONE)
    await world.endpoint(id=endpoint_id, active=True)

    async def has_paused() -> bool:
        state = await world.state(endpoint_id)
        is_later = (state["wake_us"] or 0) > clock.now_us() + 5_000_000
        return bool(is_later and state["lease_owner"] is None)

    await eventually(has_paused)
    assert world.receivers.delivered(endpoint_id) == [made[0].id]
    assert len(await world.rows(endpoint_id)) == 9


async def test_in_order_a_delivery_whose_body_is_gone_does_not_wait_for_ever(world: World) -> None:
    """How often it waited is counted; then it fails, and the others are sent."""
    endpoint_id = await world.endpoint(mode="ordered", active=False)
    await world.start()
    made = await _in_order(world, endpoint_id, 3)
    lost = made[0].id
    await eventually(lambda: world.has_rows(endpoint_id, made))

    def answer(delivery: event_pb2.Delivery) -> SendResult:
        without_body = NO_BODY if not delivery.deferrals else LOST_BODY
        return without_body if delivery.id == lost else OK

    world.receivers.answers[endpoint_id] = answer
    await world.endpoint(id=endpoint_id, active=True)
    await eventually(lambda: world.are_sent(made[1:]))
    assert [(step.status, step.reason) for step in await world.attempts(lost)] == [(FAILED, Reason.CONTENT_DELETED)]
    assert world.receivers.delivered(endpoint_id) == [lost, lost, made[1].id, made[2].id]


async def test_a_changed_endpoint_is_probed_at_once(world: World) -> None:
    """Its owner has repaired its URL."""
    endpoint_id = await world.endpoint()
    await world.start(policy=RARELY)
    made = await _is_down(world, endpoint_id, 4)
    world.receivers.answer(endpoint_id, OK)
    await world.endpoint(id=endpoint_id, url="https://hooks.example.org/new", revision=2)
    await eventually(lambda: world.are_sent(made[-4:]))


async def test_nothing_stays_of_a_deleted_endpoint(world: World) -> None:
    """Its state and the key of that end with it, also if nothing waits."""
    endpoint_id = await world.endpoint()
    await world.start(policy=RARELY, delays_s=())
    world.receivers.answer(endpoint_id, DOWN)
    await world.deliver(endpoint_id, 5)
    await eventually(lambda: world.is_published(endpoint_id, "open"))
    await eventually(world.all_acked)
    assert await world.rows(endpoint_id) == []
    await world.delete(endpoint_id)
    await eventually(lambda: world.is_forgotten(endpoint_id))

    async def is_unpublished() -> bool:
        return await world.published_state(endpoint_id) is None

    await eventually(is_unpublished)


@pytest.mark.parametrize("mode", ["ordered", "push"])
async def test_a_result_is_stored_although_the_breaker_cannot_be_told(world: World, mode: str) -> None:
    """A fault in one thing does not lose the other."""
    endpoint_id = await world.endpoint(mode=mode, rate_per_s=100)
    process = await world.start(delays_s=(600.0,) * 3)
    states: Any = process.parking.states

    async def observe(*_: object) -> None:
        raise RuntimeError("a fault")

    states.observe = observe
    world.receivers.answer(endpoint_id, DOWN)
    [one] = await world.deliver(endpoint_id)
    [step] = await eventually(lambda: world.attempts(one.id))
    assert step.status == trace_pb2.DELIVERY_STATUS_RETRYING
    [row] = await world.rows(endpoint_id)
    assert (row["attempt"], row["reason"]) == (2, Reason.RETRY)


@pytest.mark.parametrize("how", ["skipped", "canceled", "erased", "changed"])
@pytest.mark.parametrize("is_under_way", [True, False])
async def test_an_ordered_endpoint_is_not_held_any_more(world: World, how: str, *, is_under_way: bool) -> None:
    """Its first delivery ends by hand, or its URL changes, during an attempt that fails or while it is held."""
    endpoint_id = await world.endpoint(mode="ordered", active=False)
    process = await world.start(delays_s=(600.0,) * 3)
    now, event_id = clock.now_us(), new_id()
    first, *others = [
        (await world.deliver(endpoint_id, id=derived_id_at(id_, id_), event_id=id_, accepted_at_us=now + number))[0]
        for number, id_ in enumerate((event_id, new_id(), new_id()))
    ]
    await eventually(lambda: world.has_rows(endpoint_id, [first, *others]))
    world.receivers.answers[endpoint_id] = lambda one: DOWN if (one.id, one.attempt) == (first.id, 1) else OK
    world.receivers.hung[endpoint_id] = asyncio.Event()
    await world.endpoint(id=endpoint_id, active=True)
    await eventually(lambda: world.receivers.under_way[endpoint_id] == 1)
    await eventually(lambda: not process.drain._calls)
    if not is_under_way:
        world.receivers.hung[endpoint_id].set()
        await eventually(lambda: _is_held(world, endpoint_id))
    if how == "skipped":
        ask = endpoints_pb2.SkipParkedRequest(tenant_id=TENANT, endpoint_id=endpoint_id, first=True)
        await servicer(world, process).SkipParked(ask, CONTEXT)
    elif how == "canceled":
        await world.put(topology.canceled_key(TENANT, event_id), b"1")
        await eventually(lambda: len(process.followed.canceled._again) == 1)
    elif how == "erased":
        assert await process.parking.eraser.erase(TENANT, [event_id], []) == 1
    else:
        await world.endpoint(id=endpoint_id, url="https://hooks.example.org/new", revision=2)
        await eventually(lambda: not process.drain._calls)
    world.receivers.hung[endpoint_id].set()
    await eventually(lambda: world.are_sent(others))
    await eventually(lambda: world.is_forgotten(endpoint_id))
    statuses = [step.status for step in await world.attempts(first.id)]
    before = [trace_pb2.DELIVERY_STATUS_RETRYING] if how == "changed" or not is_under_way else []
    assert statuses == [*before, SENT if how == "changed" else trace_pb2.DELIVERY_STATUS_SKIPPED]
    waits = [one.reason for one in await world.parked() if one.delivery_id == first.id]
    assert waits.count(Reason.RETRY) == len(before)


async def _is_held(world: World, endpoint_id: str) -> bool:
    state = await world.state(endpoint_id)
    is_later = state["held_until_us"] == state["wake_us"] > clock.now_us() + 60_000_000
    return bool(is_later and state["lease_owner"] is None)


async def test_a_probe_that_is_interrupted(world: World) -> None:
    """SIGTERM while it waits for another part: nothing was sent, and the lease is given back."""
    endpoint_id = await world.endpoint()
    process = await world.start(policy=RARELY, delays_s=(600.0,) * 3, lease_s=60.0)
    made = await _is_down(world, endpoint_id, 3)

    def answer(_: event_pb2.Delivery) -> SendResult:
        raise parts.PartAway(parts.INGEST)

    world.receivers.answers[endpoint_id] = answer
    world.receivers.calls.clear()
    ask = endpoints_pb2.ProbeEndpointRequest(tenant_id=TENANT, endpoint_id=endpoint_id)
    await servicer(world, process).ProbeEndpoint(ask, CONTEXT)
    await eventually(lambda: world.receivers.calls)
    process.parking.own.stop()
    await process.stop()
    assert await world.has_rows(endpoint_id, made[-3:])
    assert (await world.state(endpoint_id))["lease_owner"] is None


async def test_a_turn_without_endpoint_is_interrupted(world: World) -> None:
    """SIGTERM while the router cannot say whether the endpoint was deleted: the lease is given back."""
    endpoint_id = await world.endpoint(active=False)
    process = await world.start(lease_s=60.0)
    made = await world.deliver(endpoint_id, 3)
    await eventually(lambda: world.has_rows(endpoint_id, made))
    world.owner.away = True
    world.owner.asked.clear()
    await world.delete(endpoint_id)
    await eventually(lambda: world.owner.asked)
    process.parking.own.stop()
    await process.stop()
    assert await world.has_rows(endpoint_id, made)
    assert (await world.state(endpoint_id))["lease_owner"] is None


async def test_an_endpoint_that_is_down_has_only_rows_that_cannot_be_read(world: World) -> None:
    """It is not looked at before another one comes; that one is its probe."""
    endpoint_id = await world.endpoint()
    process = await world.start(policy=RARELY, delays_s=(600.0,) * 3)
    await _is_down(world, endpoint_id, 3)
    await world.pool.execute("UPDATE senders.parked SET delivery = 'x'")
    world.receivers.answer(endpoint_id, OK)
    world.receivers.calls.clear()
    ask = endpoints_pb2.ProbeEndpointRequest(tenant_id=TENANT, endpoint_id=endpoint_id)
    await servicer(world, process).ProbeEndpoint(ask, CONTEXT)

    async def is_at_rest() -> bool:
        state = await world.state(endpoint_id)
        return bool(state["wake_us"] > 2**62 and state["lease_owner"] is None)

    await eventually(is_at_rest)
    assert not world.receivers.calls
    more = await world.deliver(endpoint_id, 2)
    await eventually(lambda: world.are_sent(more))
    await eventually(is_at_rest)
    assert (await world.state(endpoint_id))["state"] == breaker.CLOSED
