"""Runs that meet a fault: of their own, of another run, of another router, or of a clock."""

import asyncio

import msgspec
import pytest

from clarion.common.v1 import event_pb2
from clarion.router.v1 import runs_pb2
from runtime import nats
from runtime.configuration import ConfigurationOutbox
from runtime.database_clock import DatabaseClock
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain.reasons import Reason
from services.domain.trace import TraceWriter
from services.ingest.validate import END_OF_TIME_US
from services.router.runs import outputs, queues, store
from services.router.runs import run as runs
from services.router.runs.runner import LARGE_BATCH
from services.router.runs.servicer import RunServicer
from services.router.runs.store import LEASE_S, RunStore
from services.router.workflow_runs.store import WorkflowRunStore
from tests.conftest import NatsServer
from tests.integration.router.run_world import ANY, TENANT, World, fail, group, inline, names, nodes
from tests.waiting import eventually

DONE, FAILED = runs_pb2.RUN_STATE_DONE, runs_pb2.RUN_STATE_FAILED


async def test_a_poisonous_run_stops_no_other(world: World) -> None:
    """It is set aside, each time for longer; the others of its batch are sent; at last it ends and says why."""
    poisonous, healthy = world.event(inline("p"), due_in_s=1), world.event(inline("h"), due_in_s=1)
    world.planner.poisonous.add(poisonous.id)
    await world.begin(poisonous, healthy)
    world.clock.pass_s(2)
    await world.work()
    assert await world.sent_to() == ["h"]
    summary = await world.store.of_event(poisonous.id)
    assert (summary.state, summary.held_back) == (runs_pb2.RUN_STATE_WAITING, Reason.INTERNAL_ERROR)
    pauses: list[float] = []
    while await world.state(poisonous) != FAILED:
        assert len(pauses) < runs.MAX_CRASHES
        pauses.append(await world.store.until_next(world.clock(), large=False) or 0)
        world.clock.pass_s(pauses[-1] + 0.001)
        await world.work()
    assert len(pauses) == runs.MAX_CRASHES - 1
    assert pauses[8] > 10 * pauses[0]
    assert await world.plan(poisonous) == (0, [0])
    reasons = {one.event_id: one.routed.reason for one in await world.records("routed")}
    assert reasons[poisonous.id] == Reason.INTERNAL_ERROR


async def test_a_poisonous_run_that_is_repaired_goes_on(world: World) -> None:
    """What it counted is forgotten with its next page."""
    event = world.event(group("g"))
    world.recipients.add(TENANT, *names(15), group="g")
    world.planner.poisonous.add(event.id)
    await world.begin(event)
    await world.work()
    world.planner.poisonous.clear()
    world.clock.pass_s(10)
    await world.work()
    assert (await world.sent_to(), await world.state(event)) == (names(15), DONE)
    assert await world.pool.fetchval("SELECT crashes FROM router.runs") == 0


async def test_a_row_that_cannot_be_read_stops_no_other(world: World) -> None:
    """It is left where it is."""
    broken, healthy = world.event(inline("b"), due_in_s=1), world.event(inline("h"), due_in_s=1)
    await world.begin(broken, healthy)
    await world.pool.execute("UPDATE router.runs SET event = $2 WHERE event_id = $1", broken.id, b"\xff\xff\xff")
    world.clock.pass_s(2)
    await world.work()
    assert await world.sent_to() == ["h"]


async def test_a_slow_run_delays_no_other(world: World) -> None:
    """While the plan of one waits for an owner, the next batch is sent."""
    slow, quick = world.event(inline("slow"), due_in_s=1), world.event(inline("quick"), due_in_s=1)
    asked, answered, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def wait(event: event_pb2.Event) -> None:
        if event.id == slow.id:
            asked.set()
            try:
                await answered.wait()
            finally:
                ended.set()

    async def quick_is_sent() -> bool:
        return await world.sent_to() == ["quick"]

    world.planner.before = wait
    await world.begin(slow)
    world.clock.pass_s(2)
    running = asyncio.create_task(world.runs.run())
    await asked.wait()
    await world.begin(quick)
    await eventually(quick_is_sent, 20)
    assert not ended.is_set()
    answered.set()
    await world.runs.drain()
    await running
    assert await world.sent_to() == ["quick", "slow"]


async def test_the_next_page_follows_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The router does not look for it only after a pause, or when the lease of the page before ends."""
    monkeypatch.setattr(queues, "_IDLE_S", 3600.0)
    event = world.event(group("g"))
    world.recipients.add(TENANT, *names(150), group="g")
    await world.begin(event)

    async def is_done() -> bool:
        return await world.state(event) == DONE

    running = asyncio.create_task(world.runs.run())
    await eventually(is_done, 40)
    await world.runs.drain()
    await running
    assert await world.sent_to() == names(150)


async def test_a_broker_that_refuses_delays_shortly(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be published is published as decided after a second or so, before the lease ends."""
    event = world.event(inline("a"), due_in_s=1)
    await world.begin(event)
    world.clock.pass_s(2)
    with monkeypatch.context() as broken:
        broken.setattr(nats.StreamPublisher, "publish_all", fail)
        await world.work()
    assert (await world.store.of_event(event.id)).held_back == "unavailable"
    world.planner.version = "v2"
    world.clock.pass_s(LEASE_S / 2)
    await world.work()
    assert [one.template_version_id for one in await world.deliveries()] == ["v1"]
    assert await world.state(event) == DONE


async def test_a_router_that_takes_longer_than_its_lease(world: World) -> None:
    """Another one takes the page over; each page is planned and sent once, whoever is first."""
    event = world.event(group("g"))
    world.recipients.add(TENANT, *names(25), group="g")
    await world.begin(event)
    late_may_go_on = asyncio.Event()

    async def wait(_: event_pb2.Event) -> None:
        await late_may_go_on.wait()

    async def is_leased() -> bool:
        return await world.store.until_next(world.clock(), large=True) == pytest.approx(LEASE_S)

    late = world.router()
    world.planner.before = wait
    working = asyncio.create_task(late.work(large=True))
    await eventually(is_leased, 20)
    world.planner.before = None
    world.clock.pass_s(LEASE_S + 1)
    await world.runs.work(large=True)
    late_may_go_on.set()
    await working
    assert await world.sent_to() == names(10)
    await world.work()
    assert (await world.sent_to(), await world.plan(event)) == (names(25), (25, [25]))


async def test_what_a_late_router_notes_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It notes as published, and holds back, what another one has decided further by now."""
    event = world.event(group("g"))
    world.recipients.add(TENANT, *names(25), group="g")
    await world.begin(event)
    (run, _), *_ = await world.store.claim(world.clock(), 10, large=True)
    world.clock.pass_s(LEASE_S + 1)
    await world.runs.work(large=True)
    with monkeypatch.context() as broken:
        broken.setattr(nats.StreamPublisher, "publish_all", fail)
        await world.runs.work(large=True)
    before = await world.pool.fetch("SELECT * FROM router.runs")
    assert (before[0]["revision"], before[0]["output"] is None) == (run.revision + 2, False)
    await world.store.published([run.id], [run.revision + 1], world.clock())
    await world.store.hold_back([runs.Hold(run, run.revision, "backlog", 0, world.clock() + 10**9)])
    assert await world.pool.fetch("SELECT * FROM router.runs") == before


@pytest.mark.parametrize("change", ["pause", "cancel"])
async def test_a_change_while_a_page_is_not_known_to_be_published(
    world: World, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """The page that was decided is published, and nothing after it; resumed, the rest follows."""
    event = world.event(group("g"))
    world.recipients.add(TENANT, *names(25), group="g")
    await world.begin(event)
    with monkeypatch.context() as broken:
        broken.setattr(nats.StreamPublisher, "publish_all", fail)
        await world.runs.work(large=True)
    if change == "pause":
        await world.store.pause(event.id, world.clock())
    else:
        await world.store.cancel(TENANT, event.id, "operator", world.clock())
    world.clock.pass_s(LEASE_S + 1)
    await world.work()
    assert await world.sent_to() == names(10)
    if change == "cancel":
        assert (await world.plan(event), await world.state(event)) == ((10, [10]), runs_pb2.RUN_STATE_CANCELED)
        return
    assert (await world.plan(event), await world.state(event)) == ((10, []), runs_pb2.RUN_STATE_PAUSED)
    await world.store.resume(event.id, world.clock())
    await world.work()
    assert (await world.sent_to(), await world.plan(event)) == (names(25), (25, [25]))


async def test_a_pause_while_a_page_is_decided(world: World) -> None:
    """What was decided too late is not published; resumed, the page is decided again."""
    event = world.event(group("g"))
    world.recipients.add(TENANT, *names(5), group="g")
    await world.begin(event)

    async def pause(_: event_pb2.Event) -> None:
        world.planner.before = None
        await world.store.pause(event.id, world.clock())

    world.planner.before = pause
    await world.work()
    assert (await world.deliveries(), await world.state(event)) == ([], runs_pb2.RUN_STATE_PAUSED)
    await world.store.resume(event.id, world.clock())
    await world.work()
    assert await world.sent_to() == names(5)


async def test_a_cancellation_while_a_page_is_decided(world: World) -> None:
    """What was decided too late is not published."""
    event = world.event(group("g"))
    world.recipients.add(TENANT, *names(5), group="g")
    await world.begin(event)

    async def cancel(_: event_pb2.Event) -> None:
        await world.store.cancel(TENANT, event.id, "operator", world.clock())

    world.planner.before = cancel
    await world.work()
    assert (await world.deliveries(), await world.plan(event)) == ([], (0, [0]))


async def test_who_canceled_is_recorded_once(world: World) -> None:
    """Of an event that is canceled before its run the caller of CancelEvent writes the record, and the run does not."""
    event = world.event(inline("a"))
    await world.store.cancel(TENANT, event.id, "operator", world.clock())
    await world.begin(event)
    await world.work()
    assert (await world.records("canceled"), await world.plan(event)) == ([], (0, [0]))
    first, second = (outputs.canceled_record(TENANT, event.id, "operator", at_us) for at_us in (1, 2))
    assert first.id == second.id


async def test_a_cancellation_that_workers_do_not_hear_of(world: World, nats_server: NatsServer) -> None:
    """Whoever cancels is told, and once more is enough when the broker is back."""
    lost = await nats.connect(nats_server.url, name="lost")
    await lost.close()
    trace = TraceWriter(nats.StreamPublisher(world.connection))
    request = runs_pb2.CancelEventRequest(tenant_id=TENANT, event_id=new_id(), by="operator")
    deaf = RunStore(world.pool, ConfigurationOutbox(world.pool, "router", lost))
    with pytest.raises(ClarionError) as refused:
        await RunServicer(deaf, WorkflowRunStore(world.pool), world.runs.wake, trace).CancelEvent(request, None)
    assert (refused.value.code, await world.records("canceled")) == (Code.UNAVAILABLE, [])
    await RunServicer(world.store, WorkflowRunStore(world.pool), world.runs.wake, trace).CancelEvent(request, None)
    assert len(await world.records("canceled")) == 1
    assert await world.pool.fetchval("SELECT count(*) FROM router.config_outbox") == 0


async def test_a_tenant_with_many_runs_delays_no_other(world: World) -> None:
    """Of several tenants with runs that are due each is served in turn, whoever was first."""
    flood, other = _tenants_of_two_lanes()
    world.recipients.add(flood, "f", group="g")
    world.recipients.add(other, "o", group="g")
    flooding = [world.event(group("g"), tenant_id=flood) for _ in range(5 * LARGE_BATCH)]
    await world.begin(*flooding)
    world.clock.pass_s(1)
    last = world.event(group("g"), tenant_id=other)
    await world.begin(last)
    await world.runs.work(large=True)
    assert await world.state(last) == DONE
    assert len(await world.store.page(flood, DONE, None, 100)) == LARGE_BATCH - 1


async def test_few_recipients_do_not_wait_for_many(world: World) -> None:
    """An event that names many is worked off with the groups."""
    few = world.event(*[inline(name) for name in names(runs.MAX_FEW)])
    many = world.event(*[inline(name) for name in names(runs.MAX_FEW + 1, "m")])
    await world.begin(few, many)
    assert await world.runs.work(large=False) == 1
    assert await world.sent_to() == names(runs.MAX_FEW)
    await world.work()
    assert len(await world.sent_to()) == 2 * runs.MAX_FEW + 1


async def test_who_is_described_and_in_an_excluded_group(world: World) -> None:
    """A member of an excluded group gets nothing, also if the event describes them; a stranger does."""
    world.recipients.add(TENANT, "member", "b", group="g")
    world.recipients.add(TENANT, "member", group="out")
    event = world.event(inline("member"), inline("stranger"), group("g"), exclusions=[group("out")])
    await world.begin(event)
    await world.work()
    assert await world.sent_to() == ["b", "stranger"]


async def test_nothing_about_people_is_kept_of_what_has_ended(world: World) -> None:
    """Not for the week for which the row is kept."""
    event = world.event(inline("a"), due_in_s=1)
    await world.begin(event)
    world.clock.pass_s(2)
    await world.work()
    row = await world.pool.fetchrow("SELECT event, output FROM router.runs")
    assert row is not None
    assert (row["event"], row["output"]) == (b"", None)
    assert [run.event_id for run in await world.store.page(TENANT, ANY, None, 10)] == [event.id]


async def test_many_due_at_once_need_few_statements(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that go on together are decided, and noted as published, by one statement each."""
    calls: dict[str, int] = {}

    def counted(name: str) -> None:
        original = getattr(RunStore, name)

        async def count(*arguments: object, **named: object) -> object:
            calls[name] = calls.get(name, 0) + 1
            return await original(*arguments, **named)

        monkeypatch.setattr(RunStore, name, count)

    for name in ("decide", "published"):
        counted(name)
    await world.begin(*[world.event(inline(name), due_in_s=1) for name in names(150)])
    world.clock.pass_s(2)
    await world.runs.work(large=False)
    assert len(await world.sent_to()) == 150
    assert calls["decide"] <= 2
    assert calls["published"] <= 4


async def test_a_claim_reads_the_first_runs_only(world: World) -> None:
    """By the index, however many are due; the server has no statistics of a table that was just filled."""
    await world.begin(*[world.event(inline(name), due_in_s=1) for name in names(2000)])
    until_us = world.clock.us + 10**9
    arguments = (False, until_us, until_us, 10, runs.LANES)
    query = "EXPLAIN (ANALYZE, FORMAT JSON) " + store._SQL.claim
    (plan,) = msgspec.json.decode(await world.pool.fetchval(query, *arguments))
    scans = [node for node in nodes(plan["Plan"]) if node.get("Index Name") == "runs_waking"]
    assert [node["Node Type"] for node in scans] == ["Index Scan"]
    assert scans[0]["Actual Rows"] * scans[0]["Actual Loops"] < 100


async def test_routers_agree_on_the_time(world: World) -> None:
    """It is PostgreSQL's, also where the machine's clock is wrong, or jumps."""
    wrong_us = 10**6
    clock = DatabaseClock(world.pool, own=lambda: wrong_us, ticks=lambda: 1000.0)
    assert clock() == wrong_us
    before = await _database_us(world)
    await clock.adjust()
    after = await _database_us(world)
    assert before <= clock() <= after


def _tenants_of_two_lanes() -> tuple[str, str]:
    first = second = new_id()
    while _lane(first) == _lane(second):
        second = new_id()
    return first, second


def _lane(tenant_id: str) -> int:
    return runs.lane_of(event_pb2.Event(tenant_id=tenant_id))


async def _database_us(world: World) -> int:
    at_us: int = await world.pool.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
    return at_us


async def test_the_latest_time_that_an_event_may_have_is_shown(world: World) -> None:
    """PostgreSQL rounds the microseconds of such times, but never into a year that lists could not show."""
    event = world.event(inline("ada"))
    event.due_at_us = END_OF_TIME_US - 1
    await world.begin(event)
    assert abs((await world.store.of_event(event.id)).due_us - event.due_at_us) < 1_000
    assert [one.event_id for one in await world.store.page(None, ANY, None, 10)] == [event.id]
