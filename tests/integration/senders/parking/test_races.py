"""Two meet at one endpoint: nothing is refused, forgotten or doubled."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from nats.aio.client import Client

from clarion.common.v1 import trace_pb2
from runtime import clock
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from runtime.parts import OwnParts
from services.delivery.ports import ParkedDelivery
from services.domain.reasons import Reason
from services.senders.webhooks.parking.backlogs import ENDPOINTS_BOUND
from services.senders.webhooks.parking.breaker import BreakerPolicy, Observation, Seen
from services.senders.webhooks.parking.ports import Ended, EndpointKey, Kept, Release
from services.senders.webhooks.parking.rows import ParkedRows
from services.senders.webhooks.parking.states import EndpointStates
from tests.integration.outboxes import PatientOutbox
from tests.integration.senders.parking.world import World, delivery
from tests.unit.senders.builders import TENANT
from tests.waiting import eventually


def _parked(endpoint_id: str, reason: str = Reason.ENDPOINT_BUSY) -> ParkedDelivery:
    return ParkedDelivery(delivery(endpoint_id), reason)


@pytest.fixture
def outbox(pool: Any, connection: Client) -> PatientOutbox:
    """The senders' outbox."""
    return PatientOutbox(pool, "senders", connection)


@pytest.fixture
def states(pool: Any, outbox: PatientOutbox) -> EndpointStates:
    """The states of a process."""
    return EndpointStates(pool, outbox, BreakerPolicy())


def _rows(pool: Any, outbox: PatientOutbox, bound: int = 100_000) -> ParkedRows:
    return ParkedRows(pool, outbox, OwnParts(), bound=lambda _: bound)


@asynccontextmanager
async def _forgotten_meanwhile(pool: Any, endpoint_id: str) -> AsyncIterator[None]:
    """In the block the state is locked; then it is deleted, as the end of a turn does it."""
    await pool.execute(
        "INSERT INTO senders.endpoint_states (tenant_id, endpoint_id) VALUES ($1, $2)", TENANT, endpoint_id
    )
    async with pool.acquire() as connection, connection.transaction():
        await connection.fetch("SELECT FROM senders.endpoint_states WHERE endpoint_id = $1 FOR UPDATE", endpoint_id)
        yield
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"
        await eventually(lambda: connection.fetchval(waiting))
        await connection.execute("DELETE FROM senders.endpoint_states WHERE endpoint_id = $1", endpoint_id)


@pytest.mark.parametrize("beside", [0, 1])
async def test_a_row_comes_while_its_state_is_forgotten(pool: Any, outbox: PatientOutbox, beside: int) -> None:
    """It is stored and counted, alone and in a group with rows of another endpoint."""
    rows, endpoint_id = _rows(pool, outbox), new_id()
    async with _forgotten_meanwhile(pool, endpoint_id):
        parked = [_parked(endpoint_id), *[_parked(new_id()) for _ in range(beside)]]
        storing = asyncio.gather(*[rows.park(one) for one in parked])
    assert await storing == [True] * (1 + beside)
    counted = "SELECT parked FROM senders.endpoint_states WHERE endpoint_id = $1 AND wake_us IS NOT NULL"
    assert await pool.fetchval(counted, endpoint_id) == 1


async def test_a_failure_is_seen_while_its_state_is_forgotten(pool: Any, states: EndpointStates) -> None:
    """It counts for the breaker."""
    key = EndpointKey(TENANT, new_id())
    async with _forgotten_meanwhile(pool, key.endpoint_id):
        observing = asyncio.create_task(states.observe(key, Observation(Seen.FAILED, started_us=clock.now_us())))
    assert (await observing).failures == 1


async def test_rows_come_while_turns_end(pool: Any, outbox: PatientOutbox, states: EndpointStates) -> None:
    """As it happens with an endpoint in strict order: the last row ends when the next one comes."""
    rows, key = _rows(pool, outbox), EndpointKey(TENANT, new_id())
    for _ in range(50):
        first = _parked(key.endpoint_id)
        assert await rows.park(first)
        leased = await states.lease(1, per_tenant=1, without=[])
        assert [state.key for state in leased] == [key]
        [row] = await rows.some(key, [first.delivery.id])
        await rows.settle(Ended(row))
        second = _parked(key.endpoint_id)
        _, is_stored = await asyncio.gather(states.release(Release(key)), rows.park(second))
        assert is_stored
        [row] = await rows.some(key, [second.delivery.id])
        await rows.settle(Ended(row))
        await pool.execute("DELETE FROM senders.endpoint_states")


async def test_a_turn_that_has_not_ended_keeps_its_endpoint(world: World) -> None:
    """PostgreSQL was away for longer than the lease: this process does not begin a second turn beside the first."""
    endpoint_id = await world.endpoint(rate_per_s=100)
    world.receivers.hung[endpoint_id] = asyncio.Event()
    process = await world.start(attempt_s=60.0)
    made = await world.deliver(endpoint_id, 3)
    await eventually(lambda: world.has_rows(endpoint_id, made))
    await eventually(lambda: world.receivers.calls)
    await world.pool.execute("UPDATE senders.endpoint_states SET lease_until_us = 0, wake_us = 0")
    await process.drain._lease_or_idle()
    assert len(process.drain._tasks) == 1
    others = await process.parking.states.lease(9, per_tenant=9, without=[])
    assert [state.key.endpoint_id for state in others] == [endpoint_id], "others may have it"
    world.receivers.hung[endpoint_id].set()
    await eventually(lambda: world.are_sent(made))
    assert sorted(world.receivers.delivered(endpoint_id)) == sorted(one.id for one in made)


async def test_what_may_have_been_sent_is_remembered(pool: Any, outbox: PatientOutbox, states: EndpointStates) -> None:
    """Over turns that did not reach it, until it has been looked at."""
    rows, key = _rows(pool, outbox), EndpointKey(TENANT, new_id())
    one = _parked(key.endpoint_id)

    async def unsure_us() -> int:
        await pool.execute("UPDATE senders.endpoint_states SET wake_us = 0, lease_until_us = 0")
        [state] = await states.lease(1, per_tenant=1, without=[])
        return state.unsure_before_us

    assert await rows.park(one)
    assert await unsure_us() == 0
    before_us = await unsure_us()
    [row] = await rows.some(key, [one.delivery.id])
    assert before_us > row.parked_us
    await states.release(Release(key))
    assert await unsure_us() == before_us
    await rows.settle(Kept(row, row.delivery, row.due_us, row.reason, 0))
    await states.release(Release(key))
    assert await unsure_us() == 0


@pytest.mark.parametrize("what", ["wake_resting", "renew", "observe"])
async def test_processes_wait_in_one_order(pool: Any, states: EndpointStates, what: str) -> None:
    """A transaction that has the first endpoint gets the second one: nobody who waits for the first one has it."""
    low, high = sorted(EndpointKey(TENANT, new_id()) for _ in range(2))
    insert = "INSERT INTO senders.endpoint_states (tenant_id, endpoint_id, parked, lease_owner) VALUES ($1, $2, 1, $3)"
    for key in (high, low):
        await pool.execute(insert, *key, states.owner)
    lock = "SELECT FROM senders.endpoint_states WHERE endpoint_id = $1 FOR UPDATE"
    async with pool.acquire() as connection:
        async with connection.transaction():
            await connection.fetch(lock, low.endpoint_id)
            failed, succeeded = Observation(Seen.FAILED, started_us=clock.now_us()), Observation(Seen.SUCCEEDED)
            work: dict[str, Callable[[], Awaitable[object]]] = {
                "wake_resting": states.wake_resting,
                "renew": lambda: states._renew([high, low]),
                "observe": lambda: asyncio.gather(states.observe(high, failed), states.observe(low, succeeded)),
            }
            waiting = asyncio.ensure_future(work[what]())
            await eventually(lambda: connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
            await connection.fetch(lock + " NOWAIT", high.endpoint_id)
        await waiting


async def test_a_deadlock_is_no_fault_of_ours(pool: Any, states: EndpointStates) -> None:
    """PostgreSQL ends one of two transactions that wait for each other: the same may be tried again."""
    low, high = sorted(EndpointKey(TENANT, new_id()) for _ in range(2))
    insert = "INSERT INTO senders.endpoint_states (tenant_id, endpoint_id, parked) VALUES ($1, $2, 1)"
    lock = "SELECT FROM senders.endpoint_states WHERE endpoint_id = $1 FOR UPDATE"
    for key in (high, low):
        await pool.execute(insert, *key)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL deadlock_timeout = '1min'")
        await connection.fetch(lock, high.endpoint_id)
        observing = asyncio.gather(*[states.observe(key, Observation(Seen.PROBE_WANTED)) for key in (low, high)])
        await eventually(lambda: connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        await connection.fetch(lock, low.endpoint_id)
        with pytest.raises(ClarionError) as refused:
            await observing
    assert refused.value.code is Code.UNAVAILABLE


async def test_nothing_is_kept_of_endpoints_that_are_well(pool: Any, states: EndpointStates) -> None:
    """One fails, and others are only looked at in the same moment."""
    keys = [EndpointKey(TENANT, new_id()) for _ in range(4)]
    seen = [Seen.FAILED, Seen.SUCCEEDED, Seen.PROBE_WANTED, Seen.ENABLED]
    observations = [Observation(one, started_us=clock.now_us()) for one in seen]
    await asyncio.gather(*map(states.observe, keys, observations))
    await states.drain()
    stored = await pool.fetch("SELECT endpoint_id FROM senders.endpoint_states")
    assert [str(row["endpoint_id"]) for row in stored] == [keys[0].endpoint_id]


@pytest.mark.parametrize("was", [{"active": False}, {"mode": "polled"}])
async def test_an_endpoint_is_woken_while_its_turn_puts_it_to_rest(world: World, was: dict[str, Any]) -> None:
    """The turn knows the endpoint as it was: it is looked at again."""
    endpoint_id = await world.endpoint(**was)
    process = await world.start()
    made = await world.deliver(endpoint_id, 2)
    await eventually(lambda: world.has_rows(endpoint_id, made))
    await eventually(lambda: not process.drain._calls and not process.drain._turns)
    rows: Any = process.parking.rows
    aged, begun, goes_on = rows.aged, asyncio.Event(), asyncio.Event()

    async def slow(*arguments: Any, **options: Any) -> Any:
        begun.set()
        await goes_on.wait()
        return await aged(*arguments, **options)

    rows.aged = slow
    key = EndpointKey(TENANT, endpoint_id)
    await process.parking.states.wake(key)
    process.drain.on_parked({key})
    await eventually(begun.is_set)
    await world.endpoint(id=endpoint_id, active=True, mode="push")
    await eventually(lambda: not process.drain._calls)
    goes_on.set()
    await eventually(lambda: world.are_sent(made))
    await eventually(lambda: world.is_forgotten(endpoint_id))


@pytest.mark.parametrize("reason", [Reason.ENDPOINT_DISABLED, Reason.POLLED])
async def test_an_endpoint_changes_before_the_row_is_stored(world: World, reason: str) -> None:
    """The delivery was to rest. The change found no rows to wake, so the new row is looked at now."""
    endpoint_id = await world.endpoint()
    process = await world.start()
    await eventually(lambda: not process.drain._calls)
    parked = _parked(endpoint_id, reason)
    assert await process.parking.parked.park(parked)
    await eventually(lambda: world.are_sent([parked.delivery]))


async def test_an_endpoint_is_deleted_before_the_row_is_stored(world: World) -> None:
    """The row ends."""
    endpoint_id = await world.endpoint(active=False)
    process = await world.start()
    await world.delete(endpoint_id)
    await eventually(lambda: process.followed.published.known(TENANT, endpoint_id) is None)
    await eventually(lambda: not process.drain._calls)
    parked = _parked(endpoint_id, Reason.ENDPOINT_DISABLED)
    assert await process.parking.parked.park(parked)
    await eventually(lambda: world.is_forgotten(endpoint_id))
    [step] = await world.attempts(parked.delivery.id)
    assert (step.status, step.reason) == (trace_pb2.DELIVERY_STATUS_SKIPPED, Reason.ENDPOINT_GONE)


async def test_no_more_of_a_tenant_than_may_be(world: World, pool: Any, outbox: PatientOutbox) -> None:
    """All endpoints together have a bound as well. One that has no row is not full, and leaves no state."""
    rows = _rows(pool, outbox, bound=2)
    endpoint_ids = [new_id() for _ in range(ENDPOINTS_BOUND + 1)]
    parked = [_parked(endpoint_id) for endpoint_id in endpoint_ids]
    assert await asyncio.gather(*map(rows.park, parked)) == [True] * (ENDPOINTS_BOUND + 1)
    more = [_parked(endpoint_id) for endpoint_id in endpoint_ids]
    stored = await asyncio.gather(*map(rows.park, more))
    assert stored == [True] * (ENDPOINTS_BOUND - 1) + [False] * 2
    assert await rows.park(parked[0]), "what is there stays"
    assert await pool.fetchval("SELECT count(*) FROM senders.parked") == 2 * ENDPOINTS_BOUND
    new = _parked(new_id())
    assert not await _rows(pool, outbox, bound=2).park(new), "another process counts the same"
    assert await world.state(new.delivery.webhook.endpoint_id) is None
    assert not await pool.fetchval("SELECT count(*) FROM senders.endpoint_states WHERE is_full")
    stranger = _parked(new_id())
    stranger.delivery.tenant_id = new_id()
    assert await rows.park(stranger), "another tenant has its own bound"
    [row] = await rows.some(EndpointKey(TENANT, endpoint_ids[0]), [parked[0].delivery.id])
    await rows.settle(Ended(row))
    assert await rows.park(new)
    assert await world.is_counted_right()
