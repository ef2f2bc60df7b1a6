"""What waits for other reasons: order, polling, rates, long retries, disabled and deleted endpoints, full backlogs."""

import asyncio
import time
import uuid
from typing import Any

import msgspec
import pytest

from clarion.common.v1 import trace_pb2
from clarion.senders.v1 import endpoints_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import derived_id_at, new_id
from services.delivery.ports import SendResult, Verdict
from services.domain import topology
from services.domain.reasons import Reason
from services.senders.webhooks.parking import wiring
from services.senders.webhooks.parking.breaker import BreakerPolicy
from services.senders.webhooks.parking.ports import Letter
from services.senders.webhooks.parking.servicer import ParkingServicer
from tests.integration.senders.parking.world import DOWN, GONE, OK, SenderProcess, World, delivery, queued
from tests.unit.senders.builders import TENANT
from tests.waiting import eventually

SENT, SKIPPED = trace_pb2.DELIVERY_STATUS_SENT, trace_pb2.DELIVERY_STATUS_SKIPPED
# No method reads it.
CONTEXT: Any = None
DEAD, RETRYING = trace_pb2.DELIVERY_STATUS_DEAD, trace_pb2.DELIVERY_STATUS_RETRYING


class Letters:
    """Implements parking.ports.Letters."""

    async def letter(self, delivery: object) -> Letter | SendResult:
        """The body as it is."""
        return Letter(delivery.variables, {"webhook-id": delivery.id})  # type: ignore[attr-defined]


def servicer(world: World, process: SenderProcess) -> ParkingServicer:
    """The gRPC service of a process."""
    return wiring.make_servicer(process.parking, process.drain, Letters(), world.vault, ())


async def test_in_order_one_at_a_time(world: World) -> None:
    """An ORDERED endpoint gets its deliveries in the order of acceptance; a failed one holds up the others."""
    endpoint_id, other = await world.endpoint(mode="ordered", batch_size=3), await world.endpoint(mode="ordered")
    await world.start(delays_s=(1.0,) * 3)
    world.receivers.answer(endpoint_id, OK, OK, DOWN, OK)
    now = time.time_ns() // 1000
    made = [(await world.deliver(endpoint_id, accepted_at_us=now + number))[0] for number in range(10)]
    beside = await world.deliver(other, 3)
    await eventually(lambda: world.are_sent(made))
    order = world.receivers.delivered(endpoint_id)
    third = made[2].id
    assert order == [*(one.id for one in made[:2]), third, third, *(one.id for one in made[3:])]
    assert world.receivers.most_under_way[endpoint_id] == 1
    assert [step.attempt for step in await world.attempts(third)] == [1, 2]
    await eventually(lambda: world.are_sent(beside))
    assert {step.reason for step in await world.parked()} == {"in_order", "retry"}
    await eventually(lambda: world.is_forgotten(endpoint_id))


async def test_the_first_one_is_skipped(world: World) -> None:
    """SkipParked(first) ends the delivery that holds up the others."""
    endpoint_id = await world.endpoint(mode="ordered")
    process = await world.start(delays_s=(600.0,) * 3)
    now = time.time_ns() // 1000
    made = [(await world.deliver(endpoint_id, accepted_at_us=now + number))[0] for number in range(3)]
    world.receivers.answers[endpoint_id] = lambda delivery: DOWN if delivery.id == made[0].id else OK
    await eventually(lambda: _holds(world, endpoint_id, 3))
    await eventually(lambda: world.attempts(made[0].id))
    calls = servicer(world, process)
    answer = await calls.SkipParked(
        endpoints_pb2.SkipParkedRequest(tenant_id=TENANT, endpoint_id=endpoint_id, first=True), CONTEXT
    )
    assert answer.skipped == 1
    await eventually(lambda: world.are_sent(made[1:]))
    last = (await world.attempts(made[0].id))[-1]
    assert (last.status, last.reason) == (SKIPPED, "skipped_by_hand")
    assert await world.is_counted_right()


async def test_polled_by_cursor(world: World) -> None:
    """Nothing is sent; pages follow a cursor; what is before it ends as sent, and a repeated call repeats a page."""
    endpoint_id = await world.endpoint(mode="polled")
    process = await world.start()
    made = await world.deliver(endpoint_id, 7)
    await eventually(lambda: world.has_rows(endpoint_id, made))
    calls = servicer(world, process)

    async def poll(cursor: str, limit: int = 3, endpoint: str = endpoint_id) -> endpoints_pb2.PollResponse:
        request = endpoints_pb2.PollRequest(tenant_id=TENANT, endpoint_id=endpoint, cursor=cursor, limit=limit)
        return await calls.Poll(request, CONTEXT)

    first = await poll("")
    assert [one.headers["webhook-id"] for one in first.deliveries] == [one.delivery.id for one in first.deliveries]
    assert [one.body for one in first.deliveries] == [b'{"order":7}'] * 3
    assert not first.done
    again = await poll("")
    assert [one.delivery.id for one in again.deliveries] == [one.delivery.id for one in first.deliveries]
    assert await world.attempts() == []
    second = await poll(first.cursor)
    third = await poll(second.cursor)
    assert (len(second.deliveries), len(third.deliveries), third.done) == (3, 1, True)
    seen = [one.delivery.id for page in (first, second, third) for one in page.deliveries]
    assert sorted(seen) == sorted(one.id for one in made)
    steps = await world.attempts()
    assert {step.status for step in steps} == {SENT}
    assert [step.delivery_id for step in steps] == seen[:6]
    last = await poll(third.cursor)
    assert (list(last.deliveries), last.done) == ([], True)
    assert await world.rows(endpoint_id) == []
    assert world.receivers.calls == []
    for cursor in (last.cursor[:-2] + "AA", "?", last.cursor * 2):
        with pytest.raises(ClarionError) as refused:
            await poll(cursor)
        assert refused.value.code is Code.INVALID
    other = await world.endpoint(mode="polled")
    with pytest.raises(ClarionError):
        await poll(last.cursor, endpoint=other)
    late = await world.deliver(endpoint_id, 2)
    await eventually(lambda: world.has_rows(endpoint_id, late))
    assert len((await poll(last.cursor)).deliveries) == 2
    assert await world.is_counted_right()


async def test_what_waited_is_polled_after_a_change(world: World) -> None:
    """An endpoint that is down becomes POLLED: what waited is read, and nothing more is sent."""
    endpoint_id = await world.endpoint(active=False)
    process = await world.start()
    made = await world.deliver(endpoint_id, 4)
    await eventually(lambda: world.has_rows(endpoint_id, made))
    await world.endpoint(id=endpoint_id, active=True, mode="polled")
    calls = servicer(world, process)

    async def all_read() -> bool:
        request = endpoints_pb2.PollRequest(tenant_id=TENANT, endpoint_id=endpoint_id)
        return len((await calls.Poll(request, CONTEXT)).deliveries) == 4

    await eventually(all_read)
    assert world.receivers.calls == []


async def test_disabled_and_enabled_again(world: World) -> None:
    """What comes for a disabled endpoint waits; when it is enabled all is sent."""
    endpoint_id = await world.endpoint(active=False)
    await world.start()
    made = await world.deliver(endpoint_id, 20)
    await eventually(lambda: world.has_rows(endpoint_id, made))
    assert {step.reason for step in await world.parked()} == {"endpoint_disabled"}
    await world.endpoint(id=endpoint_id, active=True)
    await eventually(lambda: world.are_sent(made))
    assert len(world.receivers.delivered(endpoint_id)) == 20
    await eventually(lambda: world.is_forgotten(endpoint_id))


@pytest.mark.parametrize("fields", [{"active": False}, {"mode": "polled"}])
async def test_what_rests_for_too_long_ends(world: World, fields: dict[str, Any]) -> None:
    """As dead letters, which can be sent again. What is younger, or was parked again just now, stays."""
    endpoint_id = await world.endpoint(**fields)
    process = await world.start(keep_s=3_600.0)
    now = time.time_ns() // 1000
    times_us = [now - hours * 3_600_000_000 for hours in (3, 2, 2, 0)]
    ids = [derived_id_at(str(uuid.UUID(int=(at_us // 1000) << 80)), new_id()) for at_us in times_us]
    made = [(await world.deliver(endpoint_id, id=delivery_id))[0] for delivery_id in ids]
    await eventually(lambda: world.has_rows(endpoint_id, made))
    await process.drain.look_for_aged()
    await eventually(lambda: not process.drain._tasks)
    assert len(await world.rows(endpoint_id)) == 4
    old = [one.id for one in (made[0], made[1], made[3])]
    await world.pool.execute(
        "UPDATE senders.parked SET parked_us = parked_us - 7200000000 WHERE delivery_id = ANY ($1::uuid[])", old
    )
    await process.drain.look_for_aged()
    await eventually(lambda: _holds(world, endpoint_id, 2))
    steps = await world.attempts()
    assert {(step.delivery_id, step.status, step.reason) for step in steps} == {
        (id_, DEAD, "parked_too_long") for id_ in old[:2]
    }
    assert {(step.dead_letter.id, step.dead_letter.claim) for step in steps} == {(id_, "") for id_ in old[:2]}
    assert await world.is_counted_right()


async def test_enabled_while_no_process_ran(world: World) -> None:
    """A process that starts looks at everything that rests."""
    endpoint_id = await world.endpoint(active=False)
    process = await world.start()
    made = await world.deliver(endpoint_id, 3)
    await eventually(lambda: world.has_rows(endpoint_id, made))
    await process.stop()
    await world.endpoint(id=endpoint_id, active=True)
    await world.start()
    await eventually(lambda: world.are_sent(made))


async def test_deleted(world: World) -> None:
    """What waits for an endpoint that is deleted ends as skipped."""
    endpoint_id = await world.endpoint(active=False)
    await world.start()
    made = await world.deliver(endpoint_id, 5)
    await eventually(lambda: world.has_rows(endpoint_id, made))
    await world.delete(endpoint_id)
    await eventually(lambda: world.is_forgotten(endpoint_id))
    assert {(step.status, step.reason) for step in await world.attempts()} == {(SKIPPED, "endpoint_gone")}
    assert len(await world.attempts()) == 5
    assert world.receivers.calls == []


async def test_a_long_retry_waits_in_a_row(world: World) -> None:
    """A delay above longest_timer_s: the row, the record that it waits, and the next attempt when it is due."""
    endpoint_id = await world.endpoint()
    await world.start(retry_scale=0.0001, delays_s=(0.5,))
    world.receivers.answer(endpoint_id, DOWN, OK)
    [one] = await world.deliver(endpoint_id)
    [row] = await eventually(lambda: world.rows(endpoint_id))
    assert (row["reason"], row["attempt"]) == ("retry", 2)
    assert await world.streams.count("TIMERS") == 0
    await eventually(lambda: world.are_sent([one]))
    steps = await world.attempts(one.id)
    assert [(step.attempt, step.status) for step in steps] == [(1, RETRYING), (2, SENT)]
    [parked] = await world.parked()
    assert (parked.reason, parked.attempt, parked.until_us) == ("retry", 2, steps[0].next_attempt_at_us)


async def test_an_endpoint_s_own_delays(world: World) -> None:
    """They replace the channel's; the last one ends in a dead letter, which carries the delivery."""
    endpoint_id = await world.endpoint()
    await world.start(delays=lambda _: (0.05, 0.05))
    world.receivers.answer(endpoint_id, SendResult(Verdict.TRANSIENT, "webhook", Reason.INTERNAL_ERROR))
    [one] = await world.deliver(endpoint_id)

    async def is_dead() -> bool:
        steps = await world.attempts(one.id)
        return bool(steps) and steps[-1].status == DEAD

    await eventually(is_dead)
    steps = await world.attempts(one.id)
    assert [step.attempt for step in steps] == [1, 2, 3]
    assert steps[-1].dead_letter.webhook.endpoint_id == endpoint_id


async def test_a_full_backlog(world: World) -> None:
    """More than the tenant allows: dead letters with their reason, and the endpoint is published as full."""
    await world.put(topology.tenant_key(TENANT), msgspec.json.encode({"id": TENANT, "max_parked_per_endpoint": 10}))
    endpoint_id = await world.endpoint(active=False)
    process = await world.start()
    await eventually(lambda: process.followed.book.backlog_bound(TENANT) == 10)
    made = await world.deliver(endpoint_id, 25)
    await eventually(world.all_acked)
    dead = [step for step in await world.attempts() if step.status == DEAD]
    assert len(dead) == 15
    assert {step.reason for step in dead} == {"endpoint_backlog_full"}
    assert {step.dead_letter.id for step in dead} == {step.delivery_id for step in dead}
    assert len(await world.rows(endpoint_id)) == 10
    assert b'"full":true' in (await world.published_state(endpoint_id) or b"")
    assert await world.is_counted_right()
    await world.endpoint(id=endpoint_id, active=True)
    dead_ids = {step.delivery_id for step in dead}
    await eventually(lambda: world.are_sent([one for one in made if one.id not in dead_ids]))
    await eventually(lambda: world.is_forgotten(endpoint_id))
    assert await world.published_state(endpoint_id) is None


async def test_a_rate_limit(world: World) -> None:
    """An endpoint with a rate gets everything from its rows, where one process spaces it (see the tests of Pacer)."""
    endpoint_id = await world.endpoint(rate_per_s=40)
    await world.start()
    await world.start()
    made = await world.deliver(endpoint_id, 30)
    await eventually(lambda: world.are_sent(made))
    assert sorted(world.receivers.delivered(endpoint_id)) == sorted(one.id for one in made)
    assert [step.reason for step in await world.parked()] == ["endpoint_busy"] * 30


async def test_410_disables(world: World) -> None:
    """The delivery fails, and that the endpoint is to be disabled is noted once."""
    endpoint_id = await world.endpoint(revision=4)
    await world.start()
    world.receivers.answer(endpoint_id, GONE)
    await world.deliver(endpoint_id, 5)
    await eventually(world.all_acked)

    async def noted() -> list[Any]:
        return await world.pool.fetch("SELECT kind, reason, revision FROM senders.endpoint_notices")

    assert [tuple(row) for row in await eventually(noted)] == [("disable", "gone", 4)]


async def test_the_state_and_the_list(world: World) -> None:
    """GetEndpointState and ListParked tell what waits; ProbeEndpoint ends the pause."""
    endpoint_id = await world.endpoint()
    process = await world.start(policy=BreakerPolicy(probe_s=600.0, longest_probe_s=600.0))
    calls = servicer(world, process)
    ask = endpoints_pb2.GetEndpointStateRequest(tenant_id=TENANT, endpoint_id=endpoint_id)
    assert (await calls.GetEndpointState(ask, CONTEXT)).state == endpoints_pb2.BREAKER_STATE_CLOSED
    world.receivers.answer(endpoint_id, DOWN)
    await world.deliver(endpoint_id, 5)
    await eventually(lambda: world.is_published(endpoint_id, "open"))
    made = await world.deliver(endpoint_id, 6)
    await eventually(lambda: world.has_rows(endpoint_id, made))
    state = await calls.GetEndpointState(ask, CONTEXT)
    assert state.state == endpoints_pb2.BREAKER_STATE_OPEN
    assert state.parked >= 6
    assert 0 < state.failing_since_us <= state.since_us < state.next_probe_at_us
    assert state.oldest_us
    listed, cursor = [], ""
    while True:
        page = await calls.ListParked(
            endpoints_pb2.ListParkedRequest(tenant_id=TENANT, endpoint_id=endpoint_id, limit=4, cursor=cursor), CONTEXT
        )
        listed += [one.delivery_id for one in page.deliveries]
        if not (cursor := page.next_cursor):
            break
    assert {one.id for one in made} <= set(listed)
    assert len(listed) == len(set(listed))
    world.receivers.answer(endpoint_id, OK)
    await calls.ProbeEndpoint(endpoints_pb2.ProbeEndpointRequest(tenant_id=TENANT, endpoint_id=endpoint_id), CONTEXT)
    await eventually(lambda: world.are_sent(made))


async def _holds(world: World, endpoint_id: str, count: int) -> bool:
    return len(await world.rows(endpoint_id)) == count


async def test_a_row_that_cannot_be_read_stops_nothing(world: World) -> None:
    """It is set aside, and the others are sent."""
    endpoint_id = await world.endpoint(active=False)
    await world.start()
    made = await world.deliver(endpoint_id, 3)
    await eventually(lambda: world.has_rows(endpoint_id, made))
    await world.pool.execute("UPDATE senders.parked SET delivery = 'x' WHERE delivery_id = $1", made[0].id)
    await world.endpoint(id=endpoint_id, active=True)
    await eventually(lambda: world.are_sent(made[1:]))
    [left] = await eventually(lambda: _only(world, endpoint_id))
    assert str(left["delivery_id"]) == made[0].id
    assert left["due_us"] > 2**62


async def test_erased(world: World) -> None:
    """What waits of an event ends, or only some of its deliveries; others of the same millisecond stay."""
    endpoint_id = await world.endpoint(active=False)
    process = await world.start()
    events = [new_id(), new_id()]
    made = [
        delivery(endpoint_id, id=derived_id_at(event_id, event_id, str(number)), event_id=event_id)
        for event_id in events
        for number in range(3)
    ]
    await world.streams.publish(*map(queued, made))
    await eventually(lambda: world.has_rows(endpoint_id, made))
    eraser = process.parking.eraser
    assert await eraser.erase(TENANT, [events[0]], [made[1].id]) == 1
    assert await eraser.erase(new_id(), events, []) == 0, "of another tenant"
    assert await eraser.erase(TENANT, [events[0]], []) == 2
    assert {str(row["delivery_id"]) for row in await world.rows(endpoint_id)} == {one.id for one in made[3:]}
    assert {(step.status, step.reason) for step in await world.attempts()} == {(SKIPPED, "recipient_erased")}
    assert await world.is_counted_right()


async def test_canceled(world: World) -> None:
    """What waits of a canceled event ends, on all endpoints, and what waits of others stays."""
    endpoints = [await world.endpoint(active=False) for _ in range(2)]
    processes = [await world.start() for _ in range(2)]
    canceled, other = new_id(), new_id()
    made = {
        event_id: [
            delivery(endpoint_id, id=derived_id_at(event_id, event_id, endpoint_id, str(number)), event_id=event_id)
            for endpoint_id in endpoints
            for number in range(150)
        ]
        for event_id in (canceled, other)
    }
    await world.streams.publish(*[queued(one) for some in made.values() for one in some])
    for endpoint_id in endpoints:
        await eventually(lambda: _holds(world, endpoint_id, 300))  # noqa: B023
    await world.put(topology.canceled_key(TENANT, canceled), b"1")
    await world.put(topology.canceled_key(new_id(), other), b"1")
    for endpoint_id in endpoints:
        await eventually(lambda: _holds(world, endpoint_id, 150))  # noqa: B023
    left = {str(row["delivery_id"]) for endpoint_id in endpoints for row in await world.rows(endpoint_id)}
    assert left == {one.id for one in made[other]}
    ended = await world.attempts()
    assert {(step.status, step.reason) for step in ended} == {(SKIPPED, "canceled")}
    assert sorted(step.delivery_id for step in ended) == sorted(one.id for one in made[canceled]), "each once"
    assert await world.is_counted_right()
    assert len(processes) == 2


async def test_canceled_while_its_attempt_is_under_way(world: World) -> None:
    """The row for its retry ends, too."""
    endpoint_id = await world.endpoint()
    world.receivers.answer(endpoint_id, DOWN)
    world.receivers.hung[endpoint_id] = asyncio.Event()
    canceled = (await world.start()).followed.canceled
    event_id = new_id()
    [one] = await world.deliver(endpoint_id, id=derived_id_at(event_id, event_id), event_id=event_id, attempt=5)
    await eventually(lambda: world.receivers.under_way[endpoint_id] == 1)
    await world.put(topology.canceled_key(TENANT, one.event_id), b"1")
    await eventually(lambda: len(canceled._again) == 1)
    world.receivers.hung[endpoint_id].set()
    await eventually(lambda: _holds(world, endpoint_id, 1))
    canceled._again[0] = (0.0, canceled._again[0][1])  # its time has come
    canceled._woken.set()
    await eventually(lambda: _ends(world, one.id, "canceled"))
    await eventually(lambda: _holds(world, endpoint_id, 0))


async def _ends(world: World, delivery_id: str, reason: str) -> bool:
    return reason in {step.reason for step in await world.attempts(delivery_id)}


async def _only(world: World, endpoint_id: str) -> list[Any]:
    rows = await world.rows(endpoint_id)
    return rows if len(rows) == 1 and rows[0]["due_us"] > 2**62 else []
