"""What becomes of workflow runs when routers end, parts are away, events are canceled, or people are erased."""

import re
from typing import Any

import asyncpg
import pytest

from clarion.router.v1 import runs_pb2, workflows_pb2
from runtime import nats
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.router.runs import run as event_runs
from services.router.runs.store import LEASE_S
from services.router.workflow_runs import runner
from services.router.workflow_runs.people import PeopleInWorkflowRuns
from services.router.workflow_runs.store import WorkflowRunStore
from tests.integration.router.run_world import TENANT, fail, inline, names
from tests.integration.router.workflow_world import SENT, WorkflowWorld, begun, contact, delay, methods, only, send

DONE, RUNNING, CANCELED = runs_pb2.RUN_STATE_DONE, runs_pb2.RUN_STATE_RUNNING, runs_pb2.RUN_STATE_CANCELED
W_CANCELED = workflows_pb2.WORKFLOW_RUN_STATE_CANCELED

# Six steps: sends, delays, and a condition on what became of the first one.
SIX = (
    send("first"),
    delay("hour", 3600),
    {
        "id": "was_sent",
        "kind": "condition",
        "rule": {"==": [{"var": "steps.first.status"}, "sent"]},
        "then": [send("second", "SMS")],
        "else": [send("again")],
    },
    delay("day", 86_400),
    send("last"),
)
BREAKS = {
    "before it is stored": (WorkflowRunStore, "decide"),
    "before it is published": (nats.StreamPublisher, "publish_all"),
    "before that is noted": (WorkflowRunStore, "published"),
}


@pytest.mark.parametrize("place", BREAKS)
async def test_routers_that_end(flow: WorkflowWorld, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """At each look of six steps: another router goes on, and each step has one delivery id and is sent once."""
    event = await begun(flow, *SIX)
    await flow.runs.work(large=False)
    for number, seconds in enumerate((0, 3600, 86_400)):
        flow.clock.pass_s(seconds)
        with monkeypatch.context() as broken:
            broken.setattr(*BREAKS[place], fail)
            await flow.flow_on()
        flow.clock.pass_s(LEASE_S + 1)
        await flow.flow_on(flow.flow(), routers=[flow.router()])
        if number == 0:
            (first,) = await flow.deliveries()
            flow.statuses.known[first.id] = SENT
    assert [step for _, step in await flow.sent()] == ["first", "second", "last"]
    assert len({one.id for one in await flow.deliveries()}) == 3
    assert (await flow.plan(event), await flow.state(event)) == ((3, [3]), DONE)
    run = await flow.store.of_event(event.id)
    assert (run.sends, run.open_runs) == (3, 0)
    assert [outcome for _, outcome in await flow.outcomes()] == [
        "started",
        "waiting",
        "went_on",
        "condition_met",
        "waiting",
        "went_on",
        "ended",
    ]


async def test_two_routers_never_fork_a_run(flow: WorkflowWorld) -> None:
    """A router whose lease has ended decides nothing any more."""
    event = await begun(flow, *SIX)
    await flow.runs.work(large=False)
    late = await flow.workflow_run_store.claim(flow.clock(), 10, large=False)
    flow.clock.pass_s(LEASE_S + 1)
    await flow.flow_on(flow.flow())
    decided = [one for run in late if (one := await flow.workflow_runs._next(run))]
    assert len(decided) == 1
    assert await flow.workflow_run_store.decide(decided, flow.clock()) == set()
    assert (await flow.store.of_event(event.id)).sends == 1


async def test_the_statuses_are_asked_only_where_a_rule_looks_at_them(flow: WorkflowWorld) -> None:
    """Once, for the step that it names; a ledger that is away holds the run back."""
    event = await begun(flow, *SIX)
    await flow.flow_on()
    flow.clock.pass_s(3600)
    flow.statuses.away = True
    await flow.flow_on()
    assert (await only(flow, event)).held_back == "unavailable"
    flow.statuses.away = False
    flow.clock.pass_s(20)
    await flow.flow_on()
    (first, again) = await flow.deliveries()
    assert [list(asked) for asked in flow.statuses.asked] == [[first.id]]
    assert again.step == "again"


async def test_a_canceled_event_ends_its_workflow_runs(flow: WorkflowWorld) -> None:
    """Lists say so at once; rows follow some at a time; nothing more is sent, and the plan is closed once."""
    workflow = await flow.workflow(send("a"), delay("wait", 60), send("b"))
    event = flow.started([workflow], *[contact(name, email=f"{name}@example.com") for name in names(20)])
    await flow.begin(event)
    await flow.flow_on()
    await flow.store.cancel(TENANT, event.id, "operator", flow.clock())
    request = workflows_pb2.ListWorkflowRunsRequest(tenant_id=TENANT, event_id=event.id, state=W_CANCELED)
    assert len((await methods(flow).list_page(request)).runs) == 20
    flow.clock.pass_s(60)
    await flow.flow_on()
    await flow.workflow_runs.end_closed()
    await flow.flow_on()
    assert await flow.sent_to() == names(20)
    assert (await flow.plan(event), await flow.state(event)) == ((20, [20]), CANCELED)
    run = await flow.store.of_event(event.id)
    assert run.open_runs == 0
    left = "SELECT count(*) FROM router.workflow_runs WHERE state <> 4 OR wake_at IS NOT NULL OR finished_at IS NULL"
    assert await flow.pool.fetchval(left) == 0
    assert await flow.pool.fetchval("SELECT length(event) FROM router.runs") == 0


async def test_a_cancellation_while_a_run_is_decided(flow: WorkflowWorld) -> None:
    """Nothing is decided any more that the closed plan did not count."""
    event = await begun(flow, delay("wait", 60), send("a"))
    await flow.flow_on()
    flow.clock.pass_s(60)
    (run,) = await flow.workflow_run_store.claim(flow.clock(), 10, large=False)
    decided = await flow.workflow_runs._next(run)
    assert decided is not None
    await flow.store.cancel(TENANT, event.id, "operator", flow.clock())
    assert await flow.workflow_run_store.decide([decided], flow.clock()) == set()


async def test_what_was_decided_before_a_cancellation(flow: WorkflowWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is published with its body, because the ledger counts it, and then its run ends, too."""
    event = await begun(flow, send("a"), delay("wait", 60), send("b"))
    await flow.runs.work(large=False)
    with monkeypatch.context() as broken:
        broken.setattr(nats.StreamPublisher, "publish_all", fail)
        await flow.workflow_runs.work(large=False)
    await flow.store.cancel(TENANT, event.id, "operator", flow.clock())
    await flow.runs.work(large=False)
    await flow.workflow_runs.end_closed()
    flow.clock.pass_s(LEASE_S + 1)
    await flow.flow_on()
    (delivery,) = await flow.deliveries()
    assert delivery.variables == event.variables
    assert await flow.plan(event) == (1, [1])
    assert (await flow.store.of_event(event.id)).open_runs == 0
    assert await flow.pool.fetchval("SELECT length(event) FROM router.runs") == 0


async def test_a_body_outlives_the_last_decision(flow: WorkflowWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event does not end before what its last run sends is published: that needs the body."""
    event = await begun(flow, delay("wait", 60), send("a"))
    await flow.flow_on()
    flow.clock.pass_s(60)
    with monkeypatch.context() as broken:
        broken.setattr(nats.StreamPublisher, "publish_all", fail)
        await flow.flow_on()
    assert await flow.state(event) == RUNNING
    flow.clock.pass_s(LEASE_S + 1)
    await flow.flow_on()
    assert [one.variables for one in await flow.deliveries()] == [event.variables]
    assert await flow.state(event) == DONE


async def test_one_run_is_canceled(flow: WorkflowWorld) -> None:
    """Another person's goes on; the event ends when that one has ended."""
    workflow = await flow.workflow(delay("wait", 60), send("a"))
    event = flow.started([workflow], contact("ada", email="ada@example.com"), contact("bob", email="b@example.com"))
    await flow.begin(event)
    await flow.flow_on()
    listed = workflows_pb2.ListWorkflowRunsRequest(tenant_id=TENANT, recipient_id="ada")
    (run,) = (await methods(flow).list_page(listed)).runs
    request = workflows_pb2.CancelWorkflowRunRequest(tenant_id=TENANT, workflow_run_id=run.id, by="operator")
    canceled = (await methods(flow).cancel(request)).run
    assert (canceled.state, list(canceled.at_steps)) == (W_CANCELED, [])
    with pytest.raises(ClarionError) as twice:
        await methods(flow).cancel(request)
    assert twice.value.code is Code.CONFLICT
    request.tenant_id = new_id()
    with pytest.raises(ClarionError) as foreign:
        await methods(flow).cancel(request)
    assert foreign.value.code is Code.NOT_FOUND
    await flow.flow_on()
    assert (await flow.store.of_event(event.id)).open_runs == 1
    flow.clock.pass_s(60)
    await flow.flow_on()
    assert (await flow.sent_to(), await flow.state(event)) == (["bob"], DONE)
    got = await methods(flow).get(workflows_pb2.GetWorkflowRunRequest(tenant_id=TENANT, workflow_run_id=run.id))
    assert [(one.outcome, one.reason, one.detail) for one in got.steps][-1] == ("ended", "canceled", "operator")


async def test_a_deleted_workflow(flow: WorkflowWorld) -> None:
    """Its runs end when they are looked at."""
    event = await begun(flow, delay("wait", 60), send("a"))
    await flow.flow_on()
    (deleted,) = [one.workflow_id for one in event.workflows.workflows]
    await flow.workflow_store.delete(TENANT, deleted)
    flow.clock.pass_s(60)
    await flow.flow_on()
    assert (await flow.state(event), await flow.plan(event)) == (DONE, (0, [0]))
    steps = [step for record in await flow.records("workflow_steps") for step in record.workflow_steps.steps]
    assert (steps[-1].outcome, steps[-1].reason) == ("ended", "workflow_deleted")


async def test_a_run_that_crashes_ends_after_many_tries(flow: WorkflowWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not hold its event open for ever; another one goes on meanwhile."""
    workflow = await flow.workflow(send("a", only_if={"==": [1, 1]}))
    event = flow.started([workflow], contact("ada", email="ada@example.com"), contact("bob", email="b@example.com"))
    await flow.begin(event)
    await flow.runs.work(large=False)
    decide = flow.workflow_runs._deciding.decide

    async def broken(run: Any) -> Any:
        if run.recipient_id == "ada":
            raise KeyError(run.id)
        return await decide(run)

    monkeypatch.setattr(flow.workflow_runs._deciding, "decide", broken)
    for _ in range(event_runs.MAX_CRASHES):
        await flow.flow_on()
        flow.clock.pass_s(1000)
    assert (await flow.sent_to(), await flow.state(event)) == (["bob"], DONE)
    request = workflows_pb2.ListWorkflowRunsRequest(
        tenant_id=TENANT, workflow_id=workflow, state=workflows_pb2.WORKFLOW_RUN_STATE_FAILED
    )
    (failed,) = (await methods(flow).list_page(request)).runs
    assert failed.recipient_id == "ada"


async def test_an_erased_person(flow: WorkflowWorld) -> None:
    """Their runs end and hold nothing of them, also those that have ended before; another person's go on."""
    workflow = await flow.workflow(send("a"), delay("wait", 60), send("b"), filters={"cooldown_s": 30})
    other = await flow.workflow(send("c", only_if={"==": [1, 1]}))
    event = flow.started(
        [workflow, other], inline("lovelace", "a@example.com"), contact("bob", email="bob@example.com")
    )
    await flow.begin(event)
    await flow.flow_on()
    people = PeopleInWorkflowRuns(flow.pool, batch=1)
    assert await people.erase(TENANT, "lovelace", flow.clock()) == (2, True)
    rows = await flow.pool.fetch("SELECT w::text AS text FROM router.workflow_runs w")
    # So long a name that no hex digits of an id are the same.
    of_her = re.compile(f"lovelace|{b'lovelace'.hex()}")
    assert [row["text"] for row in rows if of_her.search(row["text"])] == []
    assert await flow.pool.fetchval("SELECT count(*) FROM router.cooldowns WHERE recipient_id = 'lovelace'") == 0
    flow.clock.pass_s(60)
    await flow.flow_on()
    assert sorted(await flow.sent()) == [("bob", "a"), ("bob", "b"), ("bob", "c"), ("lovelace", "a"), ("lovelace", "c")]
    assert (await flow.state(event), await flow.plan(event)) == (DONE, (5, [5]))


async def test_an_erased_person_whom_events_describe_without_an_id(flow: WorkflowWorld) -> None:
    """Is known by their address, whatever its case; one that only contains it is somebody else's."""
    workflow = await flow.workflow(delay("wait", 60), send("a"))
    described = [inline("", "Ada@Example.com"), inline("", "not-ada@example.com"), inline("bob", "bob@example.com")]
    event = flow.started([workflow], *described)
    await flow.begin(event)
    await flow.flow_on()
    people = PeopleInWorkflowRuns(flow.pool, batch=1)
    assert await people.erase(TENANT, "nobody", flow.clock(), ["ada@example.com"]) == (1, True)
    left = await flow.pool.fetch("SELECT recipient FROM router.workflow_runs WHERE recipient IS NOT NULL")
    assert not any(b"\x0fAda@Example.com" in row["recipient"] for row in left)
    flow.clock.pass_s(60)
    await flow.flow_on()
    assert sorted(one.recipient.email for one in await flow.deliveries()) == ["bob@example.com", "not-ada@example.com"]


async def test_who_is_erased_while_another_event_begins(flow: WorkflowWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that begins once the events are locked is not ended without its event: it is erased after those."""
    workflow = await flow.workflow(delay("wait", 60), send("a"))
    events = [flow.started([workflow], contact("ada", email="ada@example.com")) for _ in range(2)]
    await flow.begin(events[0])
    await flow.flow_on()
    people = PeopleInWorkflowRuns(flow.pool)
    fetch, begun = asyncpg.Connection.fetch, False

    async def begin_after_locking(connection: Any, query: str, *arguments: Any, **options: Any) -> Any:
        nonlocal begun
        found = await fetch(connection, query, *arguments, **options)
        if "FROM router.runs r\nWHERE r.id IN" in query and not begun:
            begun = True
            await flow.begin(events[1])
            await flow.flow_on()
        return found

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(asyncpg.Connection, "fetch", begin_after_locking)
        assert await people.erase(TENANT, "ada", flow.clock()) == (2, True)
    assert begun
    await flow.flow_on()
    assert [await flow.state(event) for event in events] == [DONE, DONE]


async def test_who_is_erased_while_a_run_waits(flow: WorkflowWorld) -> None:
    """Their marker ends the run, even if the erasure did not see its row."""
    event = await begun(flow, delay("wait", 60), send("a"))
    await flow.flow_on()
    flow.erased.add("ada")
    flow.clock.pass_s(60)
    await flow.flow_on()
    assert (await flow.deliveries(), await flow.state(event)) == ([], DONE)
    steps = [step for record in await flow.records("workflow_steps") for step in record.workflow_steps.steps]
    assert (steps[-1].outcome, steps[-1].reason) == ("ended", "recipient_erased")


async def test_old_ones_are_forgotten(flow: WorkflowWorld) -> None:
    """Those that have ended, after their time; never one that waits."""
    await begun(flow, send("a", only_if={"==": [1, 1]}))
    await begun(flow, delay("wait", 10**6), send("a"))
    await flow.flow_on()
    flow.clock.pass_s(1000)
    assert await flow.workflow_run_store.forget(flow.clock()) == 1
    assert await flow.workflow_run_store.forget(flow.clock()) == 0


async def test_versions_that_runs_are_on_are_kept(flow: WorkflowWorld) -> None:
    """However many there are since; a run ends on the version that it began with."""
    workflow = await flow.workflow(delay("wait", 60), send("a"))
    event = flow.started([workflow], contact("ada", email="ada@example.com"))
    await flow.begin(event)
    await flow.flow_on()
    await flow.pool.execute(
        """INSERT INTO router.workflow_versions (tenant_id, workflow_id, version, document, created_by)
           SELECT $1, $2, n, '{"steps": []}', '' FROM generate_series(2, 150) n""",
        TENANT,
        workflow,
    )
    await flow.pool.execute("UPDATE router.workflows SET version = 150 WHERE id = $1", workflow)
    await flow.change(workflow, send("other"))
    kept = await flow.pool.fetchval("SELECT count(*) FROM router.workflow_versions WHERE workflow_id = $1", workflow)
    assert kept == 101
    flow.clock.pass_s(60)
    await flow.flow_on()
    assert [step for _, step in await flow.sent()] == ["a"]


async def test_a_version_that_is_gone(flow: WorkflowWorld) -> None:
    """Of an event that waited long: its runs are on the version that comes in its place, which is kept then."""
    workflow = await flow.workflow(send("gone"))
    event = flow.started([workflow], contact("ada", email="ada@example.com"))
    await flow.change(workflow, delay("wait", 60), send("a"))
    await flow.pool.execute("DELETE FROM router.workflow_versions WHERE workflow_id = $1 AND version = 1", workflow)
    await flow.begin(event)
    await flow.flow_on()
    assert await flow.pool.fetchval("SELECT version FROM router.workflow_runs") == 2


async def test_a_crowd_waits(flow: WorkflowWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of an event with many deliveries wait while too many of these are open: first here, then in their rows."""
    monkeypatch.setattr(runner, "_CROWD_S", 0.001)
    workflow = await flow.workflow(delay("wait", 60), send("a"))
    event = flow.started([workflow], contact("ada", email="ada@example.com"))
    await flow.begin(event)
    await flow.flow_on()
    await flow.pool.execute("UPDATE router.runs SET sends = 5000")
    flow.progress.reason = "backlog"
    flow.clock.pass_s(60)
    await flow.flow_on()
    assert ((await only(flow, event)).held_back, await flow.deliveries()) == ("backlog", [])
