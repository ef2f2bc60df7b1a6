"""Stored workflows on real PostgreSQL and NATS: for whom they are started, and how their runs go on."""

import asyncio
import threading
from typing import Any, cast

import msgspec
import pytest

from clarion.common.v1 import event_pb2
from clarion.router.v1 import recipients_pb2, runs_pb2, workflows_pb2
from runtime.ids import new_id
from services.router.recipients import changes
from services.router.recipients.writing import RecipientWriter
from services.router.runs.store import LEASE_S
from services.router.workflow_runs import store
from services.router.workflow_runs.servicer import WorkflowRunMethods
from services.router.workflows import engine
from services.router.workflows.references import References
from services.router.workflows.servicer import WorkflowServicer
from tests.integration.router.run_world import TENANT, inline, nodes
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


async def test_an_endpoint_of_a_step(flow: WorkflowWorld) -> None:
    """It gets the event's body, once for each person, and knows whose run it is."""
    endpoint_id = new_id()
    step = {"id": "call", "kind": "webhook", "endpoint_id": endpoint_id}
    at_once, later = await flow.workflow(step), await flow.workflow(delay("wait", 60), step)
    event = flow.started([at_once, later], contact("ada", email="a@example.com"), contact("bob", email="b@example.com"))
    await flow.begin(event)
    await flow.flow_on()
    flow.clock.pass_s(60)
    await flow.flow_on()
    sent = await flow.deliveries()
    assert {(one.webhook.endpoint_id, one.variables, one.step) for one in sent} == {
        (endpoint_id, event.variables, "call")
    }
    assert sorted((one.webhook.user_id, one.workflow_id) for one in sent) == sorted(
        (person, workflow) for person in ("ada", "bob") for workflow in (at_once, later)
    )
    assert len({one.id for one in sent}) == 4


async def test_a_version_of_a_template(flow: WorkflowWorld) -> None:
    """The one that the step names, active or not; one that does not exist is told."""
    workflow = await flow.workflow(
        send("third", template={"key": "welcome", "version": 3}),
        send("tenth", template={"key": "welcome", "version": 10}),
        send("none", template={"key": "none"}),
        send("push", "PUSH"),
    )
    event = flow.started([workflow], contact("ada", email="a@example.com"))
    await flow.begin(event)
    await flow.flow_on()
    sent = {one.step: one.template_version_id for one in await flow.deliveries()}
    assert sent == {"third": f"welcome@{event_pb2.CHANNEL_EMAIL}.3", "push": "welcome@push"}
    assert await flow.reasons() == [("tenth", "no_active_template"), ("none", "no_active_template")]


async def test_a_large_body_is_read_for_rules(flow: WorkflowWorld) -> None:
    """It is not in the row of the event; deliveries refer to it."""
    rule = {"==": [{"var": "event.data.plan"}, "pro"]}
    workflow = await flow.workflow(send("pro", only_if=rule), send("code", only_if={"!!": [{"var": "variables.code"}]}))
    variables, extra = b'{"code":"%b"}' % (b"x" * 5000), b'{"event_data":{"plan":"pro"}}'
    event = flow.started([workflow], contact("ada", email="a@example.com"), variables=variables, payload_extra=extra)
    flow.bodies.known[event.id] = variables, extra
    await flow.begin(event, sequence=42)
    await flow.flow_on()
    assert [(one.step, one.body_reference.sequence) for one in await flow.deliveries()] == [("pro", 42), ("code", 42)]


async def test_a_large_body_that_no_step_looks_at_is_not_read(flow: WorkflowWorld) -> None:
    """Waits and messages need it only when they are rendered."""
    workflow = await flow.workflow(delay("wait", 60), send("hello"))
    event = flow.started([workflow], contact("ada", email="a@example.com"), variables=b'{"code":"%b"}' % (b"x" * 5000))
    await flow.begin(event, sequence=42)
    await flow.flow_on()
    flow.clock.pass_s(60)
    await flow.flow_on()
    assert [one.body_reference.sequence for one in await flow.deliveries()] == [42]


@pytest.mark.parametrize("size", [100, 5000])
async def test_rules_that_see_much_hold_up_nobody(
    flow: WorkflowWorld, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Others go on while a thread asks them; what they see of a small event is asked at once."""
    advance, loop, are_held_up = engine.advance, asyncio.get_running_loop(), list[bool]()

    def asked(*given: Any) -> Any:
        goes_on = threading.Event()
        loop.call_soon_threadsafe(goes_on.set)
        are_held_up.append(not goes_on.wait(5 if size > 4096 else 0.01))
        return advance(*given)

    monkeypatch.setattr(engine, "advance", asked)
    workflow = await flow.workflow(send("hello", only_if={"!!": [{"var": "variables.code"}]}))
    variables = b'{"code":"%b"}' % (b"x" * size)
    event = flow.started([workflow], contact("ada", email="a@example.com"), variables=variables)
    flow.bodies.known[event.id] = variables, b""
    await flow.begin(event)
    await flow.flow_on()
    assert (await flow.sent(), are_held_up) == ([("ada", "hello")], [size <= 4096])


async def test_somebody_gets_another_id_while_their_run_waits(flow: WorkflowWorld) -> None:
    """It goes on for them, and their cooldown stays theirs."""
    workflow = await flow.workflow(send("a"), delay("wait", 60), send("b"), filters={"cooldown_s": 3600})
    event = flow.started([workflow], contact(email="ada@example.com"))
    await flow.begin(event)
    await flow.flow_on()
    (first,) = await flow.deliveries()
    late = await flow.workflow_run_store.claim(flow.clock() + 60_000_000, 10, large=False)
    change = recipients_pb2.RecipientChange(recipient_id=first.recipient.user_id, new_recipient_id="ada")
    named = changes.checked(change, changes.UPDATE, unique_email=True)
    (saved,) = await RecipientWriter(flow.pool).save(TENANT, [named])
    assert saved.row is not None
    assert saved.row.recipient.recipient_id == "ada"
    # A router that has read the run before decides nothing of it.
    flow.clock.pass_s(60)
    decided = [one for run in late if (one := await flow.workflow_runs._next(run))]
    assert (len(decided), await flow.workflow_run_store.decide(decided, flow.clock())) == (1, set())
    flow.clock.pass_s(LEASE_S + 1)
    again = flow.started([workflow], contact("ada"))
    await flow.begin(again)
    await flow.flow_on()
    assert await flow.sent() == [(first.recipient.user_id, "a"), ("ada", "b")]
    assert (await flow.reasons(), await flow.state(event)) == ([("a", "cooldown")], DONE)


@pytest.mark.parametrize(("without_activity", "counted"), [(False, 1), (True, 0)])
async def test_open_runs_are_counted_for_who_wants_to_know(
    flow: WorkflowWorld, *, without_activity: bool, counted: int
) -> None:
    """There may be a million of them: calls that only look for the workflow do not have them counted."""
    workflow = await flow.workflow(delay("wait", 60), send("a"))
    await flow.begin(flow.started([workflow], contact("ada", email="ada@example.com")))
    await flow.flow_on()
    servicer: Any = WorkflowServicer(flow.workflow_store, cast(References, None))  # type: ignore[abstract]
    request = workflows_pb2.GetWorkflowRequest(
        tenant_id=TENANT, workflow_id=workflow, without_activity=without_activity
    )
    assert (await servicer.GetWorkflow(request, None)).workflow.open_runs == counted


async def test_lists(flow: WorkflowWorld) -> None:
    """By event, workflow, person, state, or all of the tenant, page by page; another tenant's are not there."""
    first, second = await flow.workflow(delay("wait", 60), send("a")), await flow.workflow(delay("wait", 60), send("b"))
    people = [contact(name, email=f"{name}@example.com") for name in ("ada", "bob")]
    events = [flow.started([first, second], *people), flow.started([first], people[0])]
    await flow.begin(*events)
    await flow.flow_on()
    methods = WorkflowRunMethods(flow.workflow_run_store, flow.pool, flow.workflow_runs.wake, now=flow.clock)

    async def found(**fields: Any) -> int:
        request = workflows_pb2.ListWorkflowRunsRequest(**{"tenant_id": TENANT, **fields})
        return len((await methods.list_page(request)).runs)

    waiting, done = workflows_pb2.WORKFLOW_RUN_STATE_WAITING, workflows_pb2.WORKFLOW_RUN_STATE_DONE
    assert [
        await found(event_id=events[0].id),
        await found(event_id=events[0].id, workflow_id=first, recipient_id="ada"),
        await found(workflow_id=first),
        await found(recipient_id="ada"),
        await found(recipient_id="ada", workflow_id=second, state=waiting),
        await found(recipient_id="ada", state=done),
        await found(),
        await found(tenant_id=new_id(), event_id=events[0].id),
    ] == [4, 1, 3, 3, 1, 0, 5, 0]
    request = workflows_pb2.ListWorkflowRunsRequest(tenant_id=TENANT, limit=3)
    page = await methods.list_page(request)
    request.cursor = page.next_cursor
    rest = await methods.list_page(request)
    assert len({run.id for run in (*page.runs, *rest.runs)}) == 5
    (run, *_) = page.runs
    assert (run.state, list(run.at_steps), run.wake_at_us) == (waiting, ["wait"], flow.clock.us + 60_000_000)


async def test_a_claim_reads_the_first_runs_only(flow: WorkflowWorld) -> None:
    """By the index, however many are due."""
    await flow.pool.execute(
        """INSERT INTO router.workflow_runs (id, run_id, event_id, tenant_id, workflow_id, version, destination,
               recipient_id, lane, is_large, state, wake_at, position, created_at, updated_at)
           SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), $1, gen_random_uuid(), 1, 'a', 'a',
               64 + n % 64, false, 1, 'epoch', '{}', now(), now()
           FROM generate_series(1, 5000) n""",
        TENANT,
    )
    until_us = flow.clock.us + 10**9
    query = "EXPLAIN (ANALYZE, FORMAT JSON) " + store._SQL.claim
    arguments = (False, until_us, until_us, 10, 64, 64)
    (plan,) = msgspec.json.decode(await flow.pool.fetchval(query, *arguments))
    scans = [node for node in nodes(plan["Plan"]) if node.get("Index Name") == "workflow_runs_waking"]
    assert [node["Node Type"] for node in scans] == ["Index Scan"]
    assert scans[0]["Actual Rows"] * scans[0]["Actual Loops"] <= 64 * 20
