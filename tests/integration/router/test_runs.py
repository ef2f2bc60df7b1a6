"""Runs on real PostgreSQL and NATS: events that wait for their time, and events for groups."""

import asyncio
from typing import Any

import asyncpg
import pytest

from clarion.common.v1 import event_pb2
from clarion.router.v1 import runs_pb2
from runtime import nats
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import topology
from services.router.ports import NewRun
from services.router.runs import store
from services.router.runs.store import LEASE_S, RunStore
from tests.integration.router.run_world import ANY, TENANT, World, fail, group, inline, names, stored


async def test_a_group_is_sent_page_by_page(world: World) -> None:
    """Everyone once, in pages; the last record closes the plan with the number of all."""
    everyone = names(35)
    world.recipients.add(TENANT, *everyone, group="g")
    event = world.event(group("g"))
    await world.begin(event)
    await world.work()
    assert await world.sent_to() == everyone
    assert await world.plan(event) == (35, [35])
    run = await world.store.of_event(event.id)
    assert (run.state, run.recipients, run.sends, run.skips) == (runs_pb2.RUN_STATE_DONE, 35, 35, 0)


async def test_endpoints_come_with_the_first_page(world: World) -> None:
    """Each once, however many pages of recipients there are, and with an event that waits for its time."""
    world.recipients.add(TENANT, *names(25), group="g")
    endpoints = event_pb2.EndpointSet(endpoint_ids=[new_id(), new_id()])
    paged = world.event(group("g"), endpoints=endpoints)
    due = world.event(endpoints=endpoints, due_in_s=60)
    empty = world.event(group("nobody"), endpoints=endpoints)
    await world.begin(paged, due, empty)
    await world.work()
    world.clock.pass_s(61)
    await world.work()
    sent = [(one.event_id, one.webhook.endpoint_id) for one in await world.deliveries() if one.webhook.endpoint_id]
    assert sorted(sent) == sorted((event.id, id_) for event in (paged, due, empty) for id_ in endpoints.endpoint_ids)
    assert (await world.plan(paged), await world.plan(due), await world.plan(empty)) == ((27, [27]), (2, [2]), (2, [2]))
    bodies = {one.variables for one in await world.deliveries() if one.webhook.endpoint_id}
    assert bodies == {paged.variables}


async def test_who_is_named_and_not_stored_is_told(world: World) -> None:
    """Beside a group as alone: the plan says of them, once, that the tenant does not know them."""
    world.recipients.add(TENANT, *names(15), group="g")
    world.recipients.add(TENANT, "bob")
    event = world.event(group("g"), stored("eve"), stored("bob"), stored("mallory"), exclusions=[stored("mallory")])
    await world.begin(event)
    await world.work()
    assert await world.sent_to() == ["bob", *names(15)]
    assert await world.plan(event) == (17, [17])
    records = [one.routed for one in await world.records("routed")]
    assert [one.recipient.user_id for record in records for one in record.deliveries if one.reason] == ["eve"]


async def test_who_is_stored_again_is_planned_once(world: World) -> None:
    """Deleted and stored anew between two pages; who is stored after the first page is on none."""
    world.recipients.add(TENANT, *names(15), group="g")
    event = world.event(group("g"))
    await world.begin(event)
    await world.runs.work(large=True)
    world.recipients.delete(TENANT, "u0003")
    world.recipients.add(TENANT, "u0003", "late", group="g")
    await world.work()
    assert await world.sent_to() == names(15)
    assert await world.plan(event) == (15, [15])


async def test_who_is_named_twice_gets_one(world: World) -> None:
    """Directly, by two groups and inline: once each, as described inline; the excluded get nothing."""
    world.recipients.add(TENANT, "a", "b", "c", "d", group="g")
    world.recipients.add(TENANT, "c", "d", "e", group="h")
    world.recipients.add(TENANT, "d", group="vip")
    event = world.event(group("g"), group("h"), stored("a"), inline("e"), exclusions=[group("vip"), stored("b")])
    await world.begin(event)
    await world.work()
    assert await world.sent_to() == ["a", "c", "e"]
    assert {one.recipient.email for one in await world.deliveries() if one.recipient.user_id == "e"} == {
        "inline@example.com"
    }


async def test_an_event_waits_for_its_time(world: World) -> None:
    """Nothing is sent before; then at once, by whichever router is there; a second notice of it changes nothing."""
    event = world.event(inline("a"), due_in_s=3600)
    await world.begin(event)
    await world.begin(event)
    await world.work()
    assert (await world.deliveries(), await world.state(event)) == ([], runs_pb2.RUN_STATE_WAITING)
    assert await world.store.until_next(world.clock(), large=False) == pytest.approx(3600)
    world.clock.pass_s(3600)
    await world.work(world.router())
    assert (await world.sent_to(), await world.state(event)) == (["a"], runs_pb2.RUN_STATE_DONE)
    await world.begin(event)
    await world.work()
    assert await world.sent_to() == ["a"]


async def test_many_due_at_once_over_two_routers(world: World) -> None:
    """2,000 events due in the same moment: each is sent once."""
    events = [world.event(inline(id_), due_in_s=60) for id_ in names(2000)]
    await world.begin(*events)
    world.clock.pass_s(60)
    await world.work(world.router(), world.router())
    assert await world.sent_to() == names(2000)
    assert len(await world.records("routed")) == 2000


async def test_a_crash_before_publishing_repeats_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was decided is published as decided, once, though templates and members have changed meanwhile."""
    world.recipients.add(TENANT, *names(5), group="g")
    event = world.event(group("g"))
    await world.begin(event)
    with monkeypatch.context() as broken:
        broken.setattr(nats.StreamPublisher, "publish_all", fail)
        await world.work()
    assert await world.deliveries() == []
    world.planner.version = "v2"
    world.recipients.add(TENANT, "late", group="g")
    world.clock.pass_s(LEASE_S + 1)
    await world.work(world.router())
    assert await world.sent_to() == names(5)
    assert {one.template_version_id for one in await world.deliveries()} == {"v1"}
    assert await world.plan(event) == (5, [5])


async def test_a_crash_after_publishing_repeats_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """If only the note of it is missing, the broker recognises the repeat."""
    world.recipients.add(TENANT, *names(15), group="g")
    event = world.event(group("g"))
    await world.begin(event)
    with monkeypatch.context() as broken:
        broken.setattr(RunStore, "published", fail)
        await world.work()
    assert len(await world.deliveries()) == 10
    world.clock.pass_s(LEASE_S + 1)
    await world.work(world.router())
    assert await world.sent_to() == names(15)
    assert await world.plan(event) == (15, [15])


async def test_two_routers_never_fork_a_page(world: World) -> None:
    """A router whose lease has ended decides nothing any more."""
    world.recipients.add(TENANT, *names(8), group="g")
    event = world.event(group("g"))
    await world.begin(event)
    late = [run for run, _ in await world.store.claim(world.clock(), 10, large=True)]
    world.clock.pass_s(LEASE_S + 1)
    await world.work(world.router())
    decided = [one for run in late if (one := await world.runs._next(run))]
    assert len(decided) == 1
    assert await world.store.decide(decided, world.clock()) == set()
    assert await world.plan(event) == (8, [8])


async def test_pause_and_resume(world: World) -> None:
    """A paused run sends no further page; resumed, it goes on where it was."""
    world.recipients.add(TENANT, *names(25), group="g")
    event = world.event(group("g"))
    await world.begin(event)
    await world.runs.work(large=True)
    assert len(await world.sent_to()) == 10
    await world.store.pause(event.id, world.clock())
    world.clock.pass_s(LEASE_S + 1)
    await world.work()
    assert (len(await world.sent_to()), await world.state(event)) == (10, runs_pb2.RUN_STATE_PAUSED)
    with pytest.raises(ClarionError) as twice:
        await world.store.pause(event.id, world.clock())
    assert twice.value.code is Code.CONFLICT
    await world.store.resume(event.id, world.clock())
    await world.work()
    assert (await world.sent_to(), await world.state(event)) == (names(25), runs_pb2.RUN_STATE_DONE)


async def test_a_run_of_an_inactive_tenant_waits(world: World) -> None:
    """It shows why, and goes on when the tenant is active again; another tenant's is sent meanwhile."""
    world.recipients.add(TENANT, *names(15), group="g")
    due, large, other = world.event(inline("a"), due_in_s=60), world.event(group("g")), world.event(inline("b"))
    other.tenant_id = new_id()
    await world.begin(due, large, other)
    world.inactive.add(TENANT)
    world.clock.pass_s(60)
    await world.work()
    assert await world.sent_to() == ["b"]
    for event in (due, large):
        assert (await world.store.of_event(event.id)).held_back == "tenant_inactive"
    world.inactive.clear()
    world.clock.pass_s(60)
    await world.work()
    assert await world.sent_to() == sorted(["a", "b", *names(15)])


async def test_a_canceled_run_of_an_inactive_tenant_ends(world: World) -> None:
    """It waits for nothing: its plan is closed."""
    event = world.event(inline("a"), due_in_s=60)
    await world.begin(event)
    world.inactive.add(TENANT)
    await world.store.cancel(TENANT, event.id, "operator", world.clock())
    world.clock.pass_s(60)
    await world.work()
    assert (await world.deliveries(), await world.plan(event)) == ([], (0, [0]))


async def test_cancel_in_the_middle(world: World) -> None:
    """Nothing but what was in hand goes out; the plan is closed with what was planned, and workers are told."""
    world.recipients.add(TENANT, *names(25), group="g")
    event = world.event(group("g"))
    await world.begin(event)
    await world.runs.work(large=True)
    run, is_new = await world.store.cancel(TENANT, event.id, "operator", world.clock())
    assert is_new
    assert run is not None
    await world.work()
    assert (len(await world.sent_to()), await world.state(event)) == (10, runs_pb2.RUN_STATE_CANCELED)
    assert await world.plan(event) == (10, [10])
    assert [one.canceled.by for one in await world.records("canceled")] == ["operator"]
    _, is_new = await world.store.cancel(TENANT, event.id, "operator", world.clock())
    assert not is_new
    assert await world.pool.fetchval("SELECT key FROM router.config_outbox") == topology.canceled_key(TENANT, event.id)


async def test_cancel_before_its_time(world: World) -> None:
    """A canceled event is not sent when its time comes."""
    event = world.event(inline("a"), due_in_s=60)
    await world.begin(event)
    await world.store.cancel(TENANT, event.id, "caller", world.clock())
    await world.work()
    world.clock.pass_s(61)
    await world.work()
    assert (await world.deliveries(), await world.plan(event)) == ([], (0, [0]))


async def test_cancel_before_its_run(world: World) -> None:
    """An event that is canceled before the router has read it is not sent."""
    event = world.event(group("g"))
    world.recipients.add(TENANT, *names(5), group="g")
    assert await world.store.cancel(TENANT, event.id, "caller", world.clock()) == (None, True)
    await world.begin(event)
    await world.work()
    assert (await world.deliveries(), await world.state(event)) == ([], runs_pb2.RUN_STATE_CANCELED)


async def test_cancel_before_the_run_begins(world: World) -> None:
    """The run ends when it is stored, long before its time."""
    event = world.event(inline("a"), due_in_s=30 * 86_400)
    assert await world.store.cancel(TENANT, event.id, "caller", world.clock()) == (None, True)
    await world.begin(event)
    await world.work()
    assert (await world.state(event), await world.plan(event)) == (runs_pb2.RUN_STATE_CANCELED, (0, [0]))


async def test_cancel_while_the_run_begins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is stored between the look for it and the commit of the cancellation: one of both sees the other."""
    event = world.event(inline("a"), due_in_s=60)
    fetchrow = asyncpg.Connection.fetchrow

    async def find_then_begin(connection: Any, query: str, *arguments: Any) -> Any:
        found = await fetchrow(connection, query, *arguments)
        if query == store._SQL.run_of_event:  # the last look before the commit
            await world.begin(event)
        return found

    with monkeypatch.context() as slow:
        slow.setattr(asyncpg.Connection, "fetchrow", find_then_begin)
        await world.store.cancel(TENANT, event.id, "caller", world.clock())
    await world.work()
    assert await world.state(event) == runs_pb2.RUN_STATE_CANCELED


async def test_a_cancellation_is_kept_while_the_run_is(world: World) -> None:
    """However long it waits: of a router that ended between storing the run and looking for the cancellation, too."""
    event = world.event(inline("a"), due_in_s=30 * 86_400)
    await world.begin(event)
    await world.pool.execute(
        "INSERT INTO router.canceled_events VALUES ($1, $2, 'epoch'::timestamptz)", TENANT, event.id
    )
    assert await world.store.forget(world.clock(), world.clock()) == 0
    world.clock.pass_s(31 * 86_400)
    await world.work()
    assert (await world.sent_to(), await world.state(event)) == ([], runs_pb2.RUN_STATE_CANCELED)
    assert await world.store.forget(world.clock(), world.clock() + 1) == 2


async def test_new_runs_are_taken_as_they_are_stored(world: World) -> None:
    """As many as there is room for: due, for few recipients, new and not canceled. Others are claimed."""
    canceled, first, second, third = (world.event(inline(name)) for name in ("x", "a", "b", "c"))
    later, large = world.event(inline("d"), due_in_s=3_600), world.event(group("g"))
    await world.store.cancel(TENANT, canceled.id, "caller", world.clock())
    new = [NewRun(event, 7) for event in (canceled, later, large, first, second, third)]
    taken = await world.store.begin(new, world.clock(), room=3)
    assert [run.event.id for run in taken] == [first.id, second.id]
    assert await world.store.begin(new, world.clock(), room=3) == []
    await world.work()
    assert await world.sent_to() == ["c"]
    world.clock.pass_s(LEASE_S + 1)  # as if the process had ended
    await world.work()
    assert sorted(await world.sent_to()) == ["a", "b", "c"]


async def test_a_new_run_goes_on_without_being_claimed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A router that has little to do works on what it has stored, and waits for it when it ends."""

    async def nothing(*_: object, **__: object) -> list[object]:
        return []

    monkeypatch.setattr(RunStore, "claim", nothing)
    running = asyncio.create_task(world.runs.run())
    await asyncio.sleep(0)
    await world.begin(world.event(inline("a")))
    await world.runs.drain()
    await running
    assert await world.sent_to() == ["a"]


async def test_another_tenants_run_is_not_canceled(world: World) -> None:
    """It is not found, and goes on."""
    event = world.event(inline("a"), due_in_s=60)
    await world.begin(event)
    with pytest.raises(ClarionError) as refused:
        await world.store.cancel(new_id(), event.id, "caller", world.clock())
    assert refused.value.code is Code.NOT_FOUND
    world.clock.pass_s(61)
    await world.work()
    assert await world.sent_to() == ["a"]


async def test_a_large_body_is_not_repeated(world: World) -> None:
    """Deliveries refer to it; a small one they carry."""
    small, large = world.event(inline("a"), due_in_s=1), world.event(inline("b"), due_in_s=1, variables=b"x" * 5000)
    await world.begin(small, large, sequence=42)
    world.clock.pass_s(2)
    await world.work()
    by_user = {one.recipient.user_id: one for one in await world.deliveries()}
    assert (by_user["a"].variables, by_user["a"].HasField("body_reference")) == (small.variables, False)
    assert (by_user["b"].variables, by_user["b"].body_reference) == (
        b"",
        event_pb2.BodyReference(sequence=42, size=5000),
    )


async def test_runs_wait_while_others_are_away(world: World) -> None:
    """An owner or the deliveries before hold a run back, and it says why; then it goes on."""
    world.recipients.add(TENANT, *names(15), group="g")
    event = world.event(group("g"))
    await world.begin(event)
    world.planner.away = True
    await world.work()
    assert (await world.store.of_event(event.id)).held_back == "unavailable"
    world.planner.away = False
    world.progress.reason = "backlog"
    world.clock.pass_s(5)
    await world.work()
    assert len(await world.sent_to()) == 10
    assert (await world.store.of_event(event.id)).held_back == "backlog"
    world.progress.reason = ""
    world.clock.pass_s(5)
    await world.work()
    assert await world.sent_to() == names(15)


async def test_a_group_without_members(world: World) -> None:
    """The plan is closed, and empty."""
    event = world.event(group("nobody"))
    await world.begin(event)
    await world.work()
    assert (await world.plan(event), await world.state(event)) == ((0, [0]), runs_pb2.RUN_STATE_DONE)


async def test_runs_are_listed(world: World) -> None:
    """Newest first, by tenant and state, page by page."""
    events = [world.event(inline("a"), due_in_s=60) for _ in range(3)]
    await world.begin(*events)
    waiting = runs_pb2.RUN_STATE_WAITING
    first = await world.store.page(TENANT, waiting, None, 2)
    rest = await world.store.page(TENANT, waiting, first[-1].id, 2)
    assert {run.event_id for run in (*first, *rest)} == {event.id for event in events}
    assert await world.store.page(new_id(), ANY, None, 10) == []
    assert await world.store.page(TENANT, runs_pb2.RUN_STATE_DONE, None, 10) == []
    assert await world.store.page(None, runs_pb2.RUN_STATE_DONE, None, 10) == []
    for everywhere in (
        await world.store.page(None, waiting, None, 10),
        await world.store.page(None, ANY, None, 10),
        await world.store.page(TENANT, ANY, None, 10),
    ):
        assert everywhere == [*first, *rest]


async def test_rare_runs_are_found_without_reading_the_others(world: World) -> None:
    """Of 20,000 that are done those that are not."""
    event = world.event(inline("a"), due_in_s=60)
    await world.begin(event)
    await world.pool.execute(
        """INSERT INTO router.runs (id, event_id, tenant_id, event_type, scope, lane, state, is_large, event, sequence,
               body_size, created_at, updated_at, finished_at)
           SELECT gen_random_uuid(), gen_random_uuid(), $1, 'news', '', 0, 4, false, '', 0, 0, now(), now(), now()
           FROM generate_series(1, 20000)""",
        TENANT,
    )
    await world.pool.execute("ANALYZE router.runs")
    for state, most in ((runs_pb2.RUN_STATE_WAITING, 1), (runs_pb2.RUN_STATE_DONE, 10)):
        query = f"EXPLAIN (ANALYZE) {store._SQL.runs_in_state}"
        plan = "\n".join(row[0] for row in await world.pool.fetch(query, store._AFTER_ALL, 10, state))
        assert "Rows Removed" not in plan
        assert f"rows={most} " in plan
    assert [run.event_id for run in await world.store.page(None, runs_pb2.RUN_STATE_WAITING, None, 10)] == [event.id]


async def test_old_ones_are_forgotten(world: World) -> None:
    """Ended runs and cancellations go after their time; waiting runs never."""
    done, waiting = world.event(inline("a"), due_in_s=1), world.event(inline("b"), due_in_s=10**7)
    await world.begin(done, waiting)
    await world.store.cancel(TENANT, new_id(), "caller", world.clock())
    world.clock.pass_s(2)
    await world.work()
    world.clock.pass_s(10**6)
    assert await world.store.forget(world.clock(), world.clock()) == 2
    assert [run.event_id for run in await world.store.page(None, ANY, None, 10)] == [waiting.id]
