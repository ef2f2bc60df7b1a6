"""An endpoint that is down: what comes for it waits in rows, others are not disturbed, and it heals by itself."""

import asyncio
from collections import Counter

from clarion.common.v1 import trace_pb2
from services.senders.webhooks.parking import breaker
from services.senders.webhooks.parking.breaker import BreakerPolicy
from services.senders.webhooks.parking.ports import EndpointKey
from tests.integration.senders.parking.world import DOWN, OK, World
from tests.unit.senders.builders import TENANT
from tests.waiting import eventually

SENT, RETRYING = trace_pb2.DELIVERY_STATUS_SENT, trace_pb2.DELIVERY_STATUS_RETRYING


async def test_an_endpoint_that_is_down_costs_no_attempts_and_heals(world: World) -> None:
    """The breaker opens; what comes is parked; when the endpoint answers again all of it is delivered, each once."""
    down, well = await world.endpoint(), await world.endpoint()
    await world.start(delays_s=(0.3,) * 10)
    world.receivers.answer(down, DOWN)
    first = await world.deliver(down, 8)

    async def is_open() -> bool:
        state = await world.state(down)
        return state is not None and state["state"] == breaker.OPEN

    await eventually(is_open)
    await eventually(lambda: world.is_published(down, "open"))
    later = await world.deliver(down, 60)
    others = await world.deliver(well, 20)
    await eventually(lambda: set(world.receivers.delivered(well)) == {one.id for one in others})
    await eventually(lambda: _count(world, down, 68))
    assert await world.is_counted_right()
    called = Counter(world.receivers.delivered(down))
    assert not set(called) & {one.id for one in later[10:]}, "they wait without an attempt, but for a few probes"
    world.receivers.answer(down, OK)
    await eventually(lambda: world.are_sent([*first, *later]))
    await eventually(lambda: world.is_forgotten(down))
    sent = [step.delivery_id for step in await world.attempts() if step.status == SENT]
    assert sorted(sent) == sorted(one.id for one in [*first, *later, *others])
    attempts = {step.delivery_id: step.attempt for step in await world.attempts()}
    assert {attempts[one.id] for one in later} == {1}, "that they waited was no attempt"
    assert await world.published_state(down) is None
    await eventually(world.all_acked)


async def test_a_failed_probe_is_no_attempt(world: World) -> None:
    """The only delivery that waits is tried again and again, and still has all of its attempts."""
    endpoint_id = await world.endpoint()
    await world.start(policy=BreakerPolicy(failures=3, probe_s=0.02, longest_probe_s=0.05), delays_s=(0.05,) * 10)
    world.receivers.answer(endpoint_id, DOWN)
    [one] = await world.deliver(endpoint_id)
    await eventually(lambda: len(world.receivers.calls) >= 12)
    [row] = await eventually(lambda: world.rows(endpoint_id))
    assert row["attempt"] <= 4
    world.receivers.answer(endpoint_id, OK)
    await eventually(lambda: world.are_sent([one]))
    steps = await world.attempts(one.id)
    assert steps[-1].attempt == row["attempt"]
    probes = [step for step in steps if step.status == RETRYING and not step.next_attempt_at_us]
    assert {step.attempt for step in probes} == {row["attempt"] - 1}, "they carry the number of the attempts so far"


async def test_processes_share_the_breaker(world: World) -> None:
    """Failures in two processes open it together, and both park what comes then."""
    endpoint_id = await world.endpoint()
    policy = BreakerPolicy(failures=6, probe_s=60.0)
    one, two = await world.start(policy=policy), await world.start(policy=policy)
    world.receivers.answer(endpoint_id, DOWN)
    await world.deliver(endpoint_id, 6)
    await eventually(lambda: world.is_published(endpoint_id, "open"))
    key = EndpointKey(TENANT, endpoint_id)
    await eventually(lambda: one.followed.book.state(key) == two.followed.book.state(key) == "open")
    calls = len(world.receivers.calls)
    later = await world.deliver(endpoint_id, 30)
    await eventually(lambda: world.has_rows(endpoint_id, later))
    assert len(world.receivers.calls) == calls


async def test_a_slow_start_is_bounded(world: World) -> None:
    """After a probe succeeded few are sent at first, and never more at a time than allowed."""
    endpoint_id = await world.endpoint()
    await world.start(policy=BreakerPolicy(probe_s=0.5, longest_probe_s=0.5), per_s=200.0)
    world.receivers.answer(endpoint_id, DOWN)
    await world.deliver(endpoint_id, 5)
    await eventually(lambda: world.is_published(endpoint_id, "open"))
    waiting = await world.deliver(endpoint_id, 40)
    await eventually(lambda: world.has_rows(endpoint_id, waiting))
    world.receivers.most_under_way.clear()
    world.receivers.answer(endpoint_id, OK)
    await eventually(lambda: world.is_published(endpoint_id, "draining"))
    await eventually(lambda: world.are_sent(waiting))
    assert world.receivers.most_under_way[endpoint_id] <= 8


async def test_a_hung_endpoint_holds_its_own_slots_only(world: World) -> None:
    """What finds no slot waits in a row; another endpoint of the tenant is served meanwhile."""
    hung, well = await world.endpoint(), await world.endpoint()
    world.receivers.hung[hung] = asyncio.Event()
    await world.start(slot_limit=4, attempt_s=30.0)
    await world.deliver(hung, 40)
    others = await world.deliver(well, 40)
    await eventually(lambda: set(world.receivers.delivered(well)) == {one.id for one in others})
    await eventually(lambda: _count(world, hung, 36))
    assert {row["reason"] for row in await world.rows(hung)} == {"endpoint_busy"}
    assert await world.streams.count("TIMERS") == 0
    world.receivers.hung[hung].set()
    await eventually(lambda: len(set(world.receivers.delivered(hung))) == 40)
    await eventually(lambda: world.is_forgotten(hung))


async def _count(world: World, endpoint_id: str, count: int) -> bool:
    return len(await world.rows(endpoint_id)) == count
