"""Workflow runs that wait: of paused events and inactive tenants; and those that would stand in the way of others."""

import asyncio

import pytest

from clarion.router.v1 import runs_pb2, workflows_pb2
from runtime import nats
from services.router.runs import run as event_runs
from services.router.runs.store import LEASE_S
from services.router.workflow_runs import runner, store
from services.router.workflow_runs.people import PeopleInWorkflowRuns
from tests.integration.router.run_world import TENANT, fail, names
from tests.integration.router.workflow_world import WorkflowWorld, begun, contact, delay, methods, only, send

DONE, RUNNING = runs_pb2.RUN_STATE_DONE, runs_pb2.RUN_STATE_RUNNING


async def test_pause_and_resume(flow: WorkflowWorld) -> None:
    """What waits in workflows waits on, and goes on when the event does."""
    event = await begun(flow, delay("wait", 60), send("a"))
    await flow.flow_on()
    await flow.store.pause(event.id, flow.clock())
    flow.clock.pass_s(60)
    await flow.flow_on()
    asleep = await only(flow, event)
    assert (asleep.held_back, asleep.wake_at_us, await flow.deliveries()) == ("paused", 0, [])
    run = await flow.store.resume(event.id, flow.clock())
    assert run.state == RUNNING
    await flow.workflow_run_store.wake_paused(run.id, flow.clock())
    await flow.flow_on()
    assert (await flow.sent_to(), await flow.state(event)) == (["ada"], DONE)


async def test_a_resume_while_runs_fall_asleep(flow: WorkflowWorld) -> None:
    """They go on: who has read that the event is paused, and notes it later, lets none of them sleep."""
    event = await begun(flow, delay("wait", 60), send("a"))
    await flow.flow_on()
    await flow.store.pause(event.id, flow.clock())
    flow.clock.pass_s(60)
    (claimed,) = await flow.workflow_run_store.claim(flow.clock(), 10, large=False)
    run = await flow.store.resume(event.id, flow.clock())
    await flow.workflow_run_store.wake_paused(run.id, flow.clock())
    assert await flow.workflow_runs._next(claimed) is None
    flow.clock.pass_s(20)
    await flow.flow_on()
    assert await flow.sent_to() == ["ada"]


async def test_a_router_that_ends_before_it_wakes_them(flow: WorkflowWorld) -> None:
    """Another one does, but wakes none of an event that is paused still."""
    events = [await begun(flow, delay("wait", 60), send("a")) for _ in range(2)]
    await flow.flow_on()
    for event in events:
        await flow.store.pause(event.id, flow.clock())
    flow.clock.pass_s(60)
    await flow.flow_on()
    await flow.store.resume(events[0].id, flow.clock())
    await flow.workflow_run_store.wake_resumed(flow.clock())
    await flow.flow_on()
    assert [one.event_id for one in await flow.deliveries()] == [events[0].id]
    assert (await only(flow, events[1])).held_back == "paused"


async def test_events_that_never_end_stand_in_nobodys_way(flow: WorkflowWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever keeps them open: others have their turn."""
    monkeypatch.setattr(store, "_EVENTS", 1)
    events = [await begun(flow, delay("wait", 60), send("a")) for _ in range(3)]
    await flow.flow_on()
    first, *others = events
    await flow.pool.execute("UPDATE router.runs SET open_runs = 5 WHERE event_id = $1", first.id)
    for event in events:
        await flow.store.cancel(TENANT, event.id, "operator", flow.clock())
    for _ in range(4):
        await flow.workflow_runs.end_closed()
    assert [(await flow.store.of_event(event.id)).open_runs for event in (first, *others)] == [4, 0, 0]


@pytest.mark.parametrize("column", ["position", "steps", "recipient", "output"])
async def test_a_row_that_cannot_be_read_ends(flow: WorkflowWorld, column: str) -> None:
    """After many tries, and its event with it; another person's run goes on meanwhile."""
    workflow = await flow.workflow(delay("wait", 60), send("a"))
    event = flow.started([workflow], contact("ada", email="ada@example.com"), contact("bob", email="b@example.com"))
    await flow.begin(event)
    await flow.flow_on()
    spoil = f"UPDATE router.workflow_runs SET {column} = 'x' WHERE recipient_id = 'ada'"
    await flow.pool.execute(spoil)
    flow.clock.pass_s(60)
    await flow.flow_on()
    assert (await flow.sent_to(), await flow.state(event)) == (["bob"], RUNNING)
    for _ in range(event_runs.MAX_CRASHES):
        flow.clock.pass_s(1000)
        await flow.flow_on()
    assert (await flow.sent_to(), await flow.state(event), await flow.plan(event)) == (["bob"], DONE, (1, [1]))
    request = workflows_pb2.ListWorkflowRunsRequest(
        tenant_id=TENANT, workflow_id=workflow, state=workflows_pb2.WORKFLOW_RUN_STATE_FAILED
    )
    assert [one.recipient_id for one in (await methods(flow).list_page(request)).runs] == ["ada"]


async def test_a_pause_while_the_last_one_ends(flow: WorkflowWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is decided is published; the event is closed when it is resumed."""
    event = await begun(flow, delay("wait", 60), send("a"))
    await flow.flow_on()
    flow.clock.pass_s(60)
    with monkeypatch.context() as broken:
        broken.setattr(nats.StreamPublisher, "publish_all", fail)
        await flow.workflow_runs.work(large=False)
    await flow.store.pause(event.id, flow.clock())
    flow.clock.pass_s(LEASE_S + 1)
    await flow.flow_on()
    assert (await flow.state(event), await flow.plan(event)) == (runs_pb2.RUN_STATE_PAUSED, (1, []))
    await flow.store.resume(event.id, flow.clock())
    await flow.flow_on()
    assert (await flow.state(event), await flow.plan(event)) == (DONE, (1, [1]))


async def test_an_inactive_tenant(flow: WorkflowWorld) -> None:
    """Its runs wait, and are looked at less and less often, so that a million of them costs little."""
    event = await begun(flow, delay("wait", 60), send("a"))
    await flow.flow_on()
    flow.inactive.add(TENANT)
    flow.clock.pass_s(60)
    for waited_s, shortest, longest in ((0, 42, 78), (86_400, 1260, 2340)):
        flow.clock.pass_s(waited_s)
        await flow.flow_on()
        waiting = await only(flow, event)
        assert (waiting.held_back, await flow.deliveries()) == ("tenant_inactive", [])
        assert shortest <= (waiting.wake_at_us - flow.clock()) / 1_000_000 <= longest


async def test_a_pause_while_a_run_is_decided(flow: WorkflowWorld) -> None:
    """Nothing is sent any more of what a router has in hand; it is when the event goes on."""
    event = await begun(flow, delay("wait", 60), send("a"))
    await flow.flow_on()
    flow.clock.pass_s(60)
    (claimed,) = await flow.workflow_run_store.claim(flow.clock(), 10, large=False)
    decided = await flow.workflow_runs._next(claimed)
    assert decided is not None
    await flow.store.pause(event.id, flow.clock())
    assert await flow.workflow_run_store.decide([decided], flow.clock()) == set()
    await flow.store.resume(event.id, flow.clock())
    flow.clock.pass_s(LEASE_S + 1)
    await flow.flow_on()
    assert (await flow.sent_to(), await flow.plan(event)) == (["ada"], (1, [1]))


@pytest.mark.parametrize("column", ["steps", "recipient", "output", "position"])
async def test_somebody_is_erased_whose_row_cannot_be_read(flow: WorkflowWorld, column: str) -> None:
    """Their run ends, and with it the event, also if it can be read again without what was theirs."""
    event = await begun(flow, delay("wait", 60), send("a"))
    await flow.flow_on()
    await flow.pool.execute(f"UPDATE router.workflow_runs SET {column} = 'x'")
    people = PeopleInWorkflowRuns(flow.pool)
    assert await people.erase(TENANT, "ada", flow.clock()) == (1, True)
    for _ in range(event_runs.MAX_CRASHES + 1):
        flow.clock.pass_s(1000)
        await flow.flow_on()
    assert (await flow.deliveries(), await flow.state(event)) == ([], DONE)
    # Nothing is counted off twice.
    await flow.pool.execute("UPDATE router.workflow_runs SET steps = 'x', recipient_id = 'ada'")
    await people.erase(TENANT, "ada", flow.clock())
    await flow.flow_on()
    assert (await flow.store.of_event(event.id)).open_runs == 0


async def test_a_list_shows_what_cannot_be_read(flow: WorkflowWorld) -> None:
    """Without where it is, perhaps because a later version wrote it; and all others."""
    event = await begun(flow, delay("wait", 60), send("a"))
    await flow.flow_on()
    await flow.pool.execute("UPDATE router.workflow_runs SET position = 'x'")
    assert list((await only(flow, event)).at_steps) == []


async def test_a_crowd_holds_up_no_other_event(flow: WorkflowWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large runs go on in turn while others are about; who waits for deliveries does so out of turn.

    Each of them is a task: so no more are claimed than go on within a lease.
    """
    workflow = await flow.workflow(delay("wait", 60), send("a"))
    people = [contact(name, email=f"{name}@example.com") for name in names(3)]
    crowded, other = [flow.started([workflow], *people) for _ in range(2)]
    await flow.begin(crowded, other)
    await flow.flow_on()
    due = "UPDATE router.workflow_runs SET is_large = true, wake_at = 'epoch' WHERE event_id = $1"
    thinned = asyncio.Event()

    async def obstacle(event_id: str, _: int) -> str:
        return "" if thinned.is_set() or event_id == other.id else "backlog"

    monkeypatch.setattr(runner, "_CROWD_S", 0.001)
    monkeypatch.setattr(runner, "_CROWD_LOOKS", 1_000_000)
    monkeypatch.setattr(flow.workflow_runs._pressure, "obstacle", obstacle)
    flow.workflow_runs._pace.saw_others()
    flow.clock.pass_s(60)
    await flow.pool.execute(due, crowded.id)
    waiting = await flow.workflow_runs.claim(large=True)
    await flow.pool.execute(due, other.id)
    going = await flow.workflow_runs.claim(large=True)
    try:
        _, late = await asyncio.wait(going, timeout=10)
        assert (len(late), {one.event_id for one in await flow.deliveries()}) == (0, {other.id})
        assert len(waiting) >= len(people)
    finally:
        thinned.set()
        await asyncio.wait(waiting)
    assert await flow.sent_to() == sorted(names(3) * 2)
