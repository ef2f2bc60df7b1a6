"""A process is killed between any two steps: nothing is lost, and what was recorded as sent is not sent again."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from clarion.common.v1 import trace_pb2
from runtime import clock
from services.domain import topology
from services.senders.webhooks.parking.breaker import BreakerPolicy
from tests.integration.senders.parking.world import DOWN, OK, World
from tests.streams import Streams
from tests.waiting import eventually

SENT = trace_pb2.DELIVERY_STATUS_SENT


@pytest.mark.parametrize("point", ["before", "after"])
async def test_killed_while_it_parks(world: World, streams: Streams, point: str) -> None:
    """Before the row is stored, and before the record: the message comes again, and its delivery waits once."""
    await streams.redeliver_after(1.0)
    endpoint_id = await world.endpoint(active=False)
    dying = await world.start(halts=point)
    [one] = await world.deliver(endpoint_id)
    assert dying.halting is not None
    await eventually(dying.halting.is_reached.is_set)
    assert len(await world.rows(endpoint_id)) == (point == "after")
    await dying.kill()
    assert await world.parked() == []
    await world.start()
    await eventually(world.all_acked)
    [record] = await world.parked()
    assert (record.delivery_id, record.reason, record.attempt) == (one.id, "endpoint_disabled", 1)
    assert len(await world.rows(endpoint_id)) == 1
    assert await world.is_counted_right()
    await world.endpoint(id=endpoint_id, active=True)
    await eventually(lambda: world.are_sent([one]))
    assert world.receivers.delivered(endpoint_id) == [one.id]


async def test_killed_after_its_row_was_sent_by_another(world: World, streams: Streams) -> None:
    """The row is drained before the message comes again: the ledger knows, and it is not sent a second time."""
    await streams.redeliver_after(2.0)
    endpoint_id = await world.endpoint(rate_per_s=100)
    dying = await world.start(halts="after")
    [one] = await world.deliver(endpoint_id)
    assert dying.halting is not None
    await eventually(dying.halting.is_reached.is_set)
    await eventually(lambda: world.are_sent([one]))
    await dying.kill()
    await world.start()
    await eventually(world.all_acked)
    assert world.receivers.delivered(endpoint_id) == [one.id]
    assert await world.rows(endpoint_id) == []


async def test_the_answer_to_a_stored_row_is_lost(world: World) -> None:
    """PostgreSQL stored the row and went away: the delivery is in TIMERS as well, and is sent once all the same."""
    endpoint_id = await world.endpoint(rate_per_s=100)
    process = await world.start(halts="lost")
    [one] = await world.deliver(endpoint_id)
    await eventually(lambda: world.streams.count("TIMERS"))
    await eventually(lambda: world.are_sent([one]))
    await eventually(lambda: process.claims.asked or len(world.receivers.calls) > 1)
    await eventually(world.all_acked)
    await asyncio.wait_for(process.stop(), 30)
    assert world.receivers.delivered(endpoint_id) == [one.id]
    assert await world.rows(endpoint_id) == []


async def test_another_process_takes_over(world: World) -> None:
    """One is killed in a drain: the other goes on when the lease ends. Only what was in hand may repeat."""
    endpoint_id = await world.endpoint()
    policy = BreakerPolicy(probe_s=0.2, longest_probe_s=0.2)
    dying = await world.start(policy=policy, per_s=40.0, lease_s=3.0, attempt_s=1.0)
    world.receivers.answer(endpoint_id, DOWN)
    first = await world.deliver(endpoint_id, 5)
    await eventually(lambda: world.is_published(endpoint_id, "open"))
    waiting = await world.deliver(endpoint_id, 60)
    await eventually(lambda: world.has_rows(endpoint_id, waiting))
    world.receivers.answer(endpoint_id, OK)
    await eventually(lambda: len(world.receivers.delivered(endpoint_id)) > 20)
    in_hand = world.receivers.under_way[endpoint_id] + 8
    await dying.kill()
    recorded = {step.delivery_id for step in await world.attempts() if step.status == SENT}
    world.receivers.calls.clear()
    other = await world.start(policy=policy, lease_s=3.0, attempt_s=1.0)
    await eventually(lambda: world.are_sent([*first, *waiting]))
    await eventually(lambda: world.is_forgotten(endpoint_id))
    again = Counter(world.receivers.delivered(endpoint_id))
    assert not recorded & set(again), "what was recorded is not sent again"
    assert max(again.values()) == 1
    assert len(again) <= 65 - len(recorded) + in_hand
    assert other.claims.asked, "it asks the ledger about rows of a process that did not give back its lease"
    assert await world.is_counted_right()


async def test_sent_before_and_not_reached_at_once(world: World) -> None:
    """A process dies between the record and the row's end. The next turn is short; the one after it still asks."""
    endpoint_id = await world.endpoint(rate_per_s=100)
    dying = await world.start(per_s=40.0)
    settling = asyncio.Event()

    async def settle(_: object) -> None:
        settling.set()
        await asyncio.Event().wait()

    rows: Any = dying.parking.rows
    rows.settle = settle
    [one] = await world.deliver(endpoint_id)
    await eventually(settling.is_set)
    await eventually(lambda: world.are_sent([one]))
    await dying.kill()
    later_us = clock.now_us() + 3_600_000_000
    await world.pool.execute(
        "UPDATE senders.endpoint_states SET lease_until_us = 0, wake_us = 0, state = 2, next_probe_us = $1", later_us
    )
    await world.start()

    async def is_over(lease: str = "lease_owner IS NULL AND wake_us = $1") -> bool:
        return bool(await world.pool.fetchval(f"SELECT count(*) FROM senders.endpoint_states WHERE {lease}", later_us))

    await eventually(is_over)
    await world.pool.execute("UPDATE senders.endpoint_states SET wake_us = 0, state = 1")
    await eventually(lambda: world.is_forgotten(endpoint_id))
    assert world.receivers.delivered(endpoint_id) == [one.id]


async def test_a_copy_of_what_waits_is_not_sent_twice(world: World, streams: Streams) -> None:
    """The broker stores an old delivery twice: the row's claim is that of the copy that asked first."""
    endpoint_id = await world.endpoint(active=False)
    await world.start()
    old_us = clock.now_us() - (topology.DUPLICATE_WINDOW_S + 60) * 1_000_000
    [one] = await world.deliver(endpoint_id, accepted_at_us=old_us)
    await eventually(lambda: world.has_rows(endpoint_id, [one]))
    subject = topology.delivery_subject(one.channel, one.tenant_id)
    jetstream = world.connection.jetstream(timeout=60)
    await jetstream.publish(subject, one.SerializeToString())
    await eventually(world.all_acked)
    assert len(await world.rows(endpoint_id)) == 1
    await world.endpoint(id=endpoint_id, active=True)
    await eventually(lambda: world.are_sent([one]))
    await jetstream.publish(subject, one.SerializeToString())
    await eventually(world.all_acked)
    assert world.receivers.delivered(endpoint_id) == [one.id]


async def test_young_rows_yield_to_the_copy_that_has_the_claim(world: World) -> None:
    """A delivery is parked young, without a claim. A copy claims it later: the row takes the copy's name."""
    endpoint_id = await world.endpoint(active=False)
    await world.start()
    [one] = await world.deliver(endpoint_id)
    await eventually(lambda: world.has_rows(endpoint_id, [one]))
    [before] = await world.rows(endpoint_id)
    copy = type(one).FromString(one.SerializeToString())
    copy.accepted_at_us -= (topology.DUPLICATE_WINDOW_S + 60) * 1_000_000
    subject = topology.delivery_subject(one.channel, one.tenant_id)
    await world.connection.jetstream(timeout=60).publish(subject, copy.SerializeToString())
    await eventually(world.all_acked)
    [after] = await world.rows(endpoint_id)
    claims = [type(one).FromString(row["delivery"]).claim for row in (before, after)]
    assert claims[0] != claims[1]
    assert world.claims.holders[one.id, 0] == claims[1]
    await world.endpoint(id=endpoint_id, active=True)
    await eventually(lambda: world.are_sent([one]))
    assert world.receivers.delivered(endpoint_id) == [one.id]


async def test_a_process_that_ends_gives_its_leases_back(world: World) -> None:
    """SIGTERM: what is under way is stored, and another process goes on at once, without asking the ledger."""
    endpoint_id = await world.endpoint(rate_per_s=20)
    first = await world.start(lease_s=60.0)
    waiting = await world.deliver(endpoint_id, 30)
    await eventually(lambda: len(world.receivers.delivered(endpoint_id)) >= 5)
    await asyncio.wait_for(first.stop(), 30)
    second = await world.start()
    await eventually(lambda: world.are_sent(waiting))
    assert max(Counter(world.receivers.delivered(endpoint_id)).values()) == 1
    assert second.claims.asked == []
