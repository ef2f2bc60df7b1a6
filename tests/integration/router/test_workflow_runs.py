"""Stored workflows on real PostgreSQL and NATS: for whom they are started, and how their runs go on."""

from clarion.router.v1 import runs_pb2
from tests.integration.router.run_world import inline
from tests.integration.router.workflow_world import WorkflowWorld, contact, delay, send

DONE, RUNNING = runs_pb2.RUN_STATE_DONE, runs_pb2.RUN_STATE_RUNNING


async def test_one_step_to_one_contact(flow: WorkflowWorld) -> None:
    """One delivery, which says of which workflow it is; the plan is closed, and the event's run has ended."""
    workflow = await flow.workflow(send("hello"))
    event = flow.started([workflow], contact("ada", email="ada@example.com", name="Ada"))
    await flow.begin(event)
    await flow.flow_on()
    (delivery,) = await flow.deliveries()
    assert (delivery.recipient.email, delivery.step, delivery.workflow_id) == ("ada@example.com", "hello", workflow)
    assert (delivery.template_version_id, delivery.recipient.name) == ("welcome@email", "Ada")
    assert delivery.workflow_run_id
    assert (await flow.plan(event), await flow.state(event)) == ((1, [1]), DONE)
    assert await flow.records("released") == []


async def test_a_run_that_waits(flow: WorkflowWorld) -> None:
    """Its event goes on until it has ended; its quota is given back meanwhile, and the plan is closed once."""
    workflow = await flow.workflow(send("first"), delay("wait", 3600), send("second", "SMS"))
    event = flow.started([workflow], contact("ada", email="ada@example.com", phone="+4915112345678"))
    await flow.begin(event)
    await flow.flow_on()
    assert (await flow.sent(), await flow.state(event)) == ([("ada", "first")], RUNNING)
    assert (await flow.store.of_event(event.id)).open_runs == 1
    assert len(await flow.records("released")) == 1
    assert await flow.plan(event) == (1, [])
    flow.clock.pass_s(3599)
    await flow.flow_on()
    assert await flow.sent() == [("ada", "first")]
    flow.clock.pass_s(1)
    await flow.flow_on(flow.flow())
    assert await flow.sent() == [("ada", "first"), ("ada", "second")]
    assert (await flow.plan(event), await flow.state(event)) == ((2, [2]), DONE)
    run = await flow.store.of_event(event.id)
    assert (run.sends, run.skips, run.open_runs) == (2, 0, 0)
    assert await flow.outcomes() == [("", "started"), ("wait", "waiting"), ("wait", "went_on"), ("", "ended")]


async def test_who_is_described_is_kept_with_the_run(flow: WorkflowWorld) -> None:
    """An event of another API starts workflows, too: its recipient is as it describes them, until the end."""
    workflow = await flow.workflow(delay("wait", 60), send("hello"))
    event = flow.started([workflow], inline("ada", "ada@example.com"))
    await flow.begin(event)
    await flow.flow_on()
    flow.clock.pass_s(60)
    await flow.flow_on()
    assert [one.recipient.email for one in await flow.deliveries()] == ["ada@example.com"]
    assert await flow.pool.fetchval("SELECT recipient FROM router.workflow_runs") is None
