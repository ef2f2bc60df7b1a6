"""Runs on real PostgreSQL and NATS: events that wait for their time, and events for groups."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeAlias

import asyncpg
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.router.v1 import runs_pb2
from runtime import nats, postgres
from runtime.configuration import ConfigurationOutbox
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import topology
from services.router.ports import NewRun
from services.router.runs.runner import Runs
from services.router.runs.store import LEASE_S, RunStore
from tests.fakes.router_runs import MailPlanner, MemoryProgress, MemoryRecipients
from tests.integration.router.conftest import Bucket
from tests.streams import Streams

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TENANT = new_id()
ANY = runs_pb2.RUN_STATE_UNSPECIFIED


class Clock:
    """A clock that the test moves. Unix microseconds."""

    def __init__(self) -> None:
        self.us = 1_800_000_000_000_000

    def __call__(self) -> int:
        """Return the time."""
        return self.us

    def pass_s(self, seconds: float) -> None:
        """Move on."""
        self.us += int(seconds * 1_000_000)


class World:
    """Routers on one database and broker, and what they left behind."""

    def __init__(self, pool: Pool, connection: Client, streams: Streams) -> None:
        self.pool = pool
        self.connection = connection
        self.streams = streams
        self.clock = Clock()
        self.planner = MailPlanner()
        self.recipients = MemoryRecipients()
        self.progress = MemoryProgress()
        self.store = RunStore(pool, ConfigurationOutbox(pool, "router", connection))
        self.runs = self.router()

    def router(self, *, page: int = 10) -> Runs:
        """Return another process's runs."""
        return Runs(
            self.connection, self.store, self.planner, self.recipients, self.progress, page=page, now=self.clock
        )

    def event(self, *targets: event_pb2.Target, due_in_s: float = 0.0, **fields: Any) -> event_pb2.Event:
        """Return an event for these targets, due in so many seconds."""
        return event_pb2.Event(
            id=new_id(),
            tenant_id=TENANT,
            event_type="order.confirmed",
            audience=targets,
            due_at_us=self.clock.us + int(due_in_s * 1_000_000) if due_in_s else 0,
            id_scheme=1,
            **{"variables": b'{"total":1}', **fields},
        )

    async def begin(self, *events: event_pb2.Event, sequence: int = 7) -> None:
        """Have the router keep events in mind."""
        await self.runs.begin([NewRun(event, sequence) for event in events])

    async def work(self, *routers: Runs) -> None:
        """Have routers work off what is due, at once, until nothing is left."""
        routers = routers or (self.runs,)
        busy = True
        while busy:
            counts = await asyncio.gather(*[one.work(paged=paged) for one in routers for paged in (False, True)])
            busy = any(counts)

    async def deliveries(self) -> list[event_pb2.Delivery]:
        """Return all of DELIVERIES."""
        return [event_pb2.Delivery.FromString(data) for data in await self.streams.messages(topology.DELIVERIES)]

    async def sent_to(self) -> list[str]:
        """Return the recipients of all deliveries, sorted."""
        return sorted(delivery.recipient.user_id for delivery in await self.deliveries())

    async def records(self, step: str) -> list[trace_pb2.TraceRecord]:
        """Return TRACE's records of one kind, each id once, as the ledger stores them."""
        batches = [trace_pb2.TraceBatch.FromString(data) for data in await self.streams.messages(topology.TRACE)]
        by_id = {one.id: one for batch in batches for one in batch.records if one.HasField(step)}  # type: ignore[arg-type] # a name
        return list(by_id.values())

    async def plan(self, event: event_pb2.Event) -> tuple[int, list[int]]:
        """Return how many deliveries were recorded as planned, and the totals that closed the plan."""
        routed = [one.routed for one in await self.records("routed") if one.event_id == event.id]
        return sum(len(one.deliveries) for one in routed), [one.total for one in routed if not one.continues]

    async def state(self, event: event_pb2.Event) -> "runs_pb2.RunState.ValueType":
        """Return the state of an event's run."""
        return (await self.store.of_event(event.id)).state


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    """The router's."""
    made = await postgres.connect(postgres_url, name="test", size=6)
    yield made
    await made.close()


@pytest.fixture
def world(pool: Pool, connection: Client, streams: Streams, bucket: Bucket) -> World:
    """One router, nobody stored."""
    return World(pool, connection, streams)


def group(key: str) -> event_pb2.Target:
    """A group."""
    return event_pb2.Target(group=key)


def stored(id_: str) -> event_pb2.Target:
    """A stored recipient."""
    return event_pb2.Target(recipient_id=id_)


def inline(id_: str, email: str = "inline@example.com") -> event_pb2.Target:
    """A recipient whom the caller describes."""
    return event_pb2.Target(recipient=event_pb2.Recipient(user_id=id_, email=email))


def names(count: int, prefix: str = "u") -> list[str]:
    """So many ids."""
    return [f"{prefix}{number:04}" for number in range(count)]


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
    assert await world.store.until_next(world.clock(), paged=False) == pytest.approx(3600)
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
        broken.setattr(nats.StreamPublisher, "publish_all", _fail)
        with pytest.raises(ClarionError):
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
        broken.setattr(RunStore, "published", _fail)
        with pytest.raises(ClarionError):
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
    late = [run for run, _ in await world.store.claim(world.clock(), 10, paged=True)]
    world.clock.pass_s(LEASE_S + 1)
    await world.work(world.router())
    decided = await world.runs._decide_all(late)
    assert await world.store.decide(decided, world.clock()) == set()
    assert await world.plan(event) == (8, [8])


async def test_pause_and_resume(world: World) -> None:
    """A paused run sends no further page; resumed, it goes on where it was."""
    world.recipients.add(TENANT, *names(25), group="g")
    event = world.event(group("g"))
    await world.begin(event)
    await world.runs.work(paged=True)
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


async def test_cancel_in_the_middle(world: World) -> None:
    """Nothing but what was in hand goes out; the plan is closed with what was planned, and workers are told."""
    world.recipients.add(TENANT, *names(25), group="g")
    event = world.event(group("g"))
    await world.begin(event)
    await world.runs.work(paged=True)
    run, is_new = await world.store.cancel(TENANT, event.id, "operator", world.clock())
    assert is_new
    assert run is not None
    await world.work()
    assert (len(await world.sent_to()), await world.state(event)) == (10, runs_pb2.RUN_STATE_CANCELED)
    assert await world.plan(event) == (10, [10])
    assert [one.canceled.by for one in await world.records("canceled")] == ["operator"]
    assert await world.store.cancel(TENANT, event.id, "operator", world.clock()) != (run, True)
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
    assert (by_user["b"].variables, by_user["b"].body_reference.sequence) == (b"", 42)


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
    assert {run.event.id for run in (*first, *rest)} == {event.id for event in events}
    assert await world.store.page(new_id(), ANY, None, 10) == []
    assert await world.store.page(TENANT, runs_pb2.RUN_STATE_DONE, None, 10) == []


async def test_old_ones_are_forgotten(world: World) -> None:
    """Ended runs and cancellations go after their time; waiting runs never."""
    done, waiting = world.event(inline("a"), due_in_s=1), world.event(inline("b"), due_in_s=10**7)
    await world.begin(done, waiting)
    await world.store.cancel(TENANT, new_id(), "caller", world.clock())
    world.clock.pass_s(2)
    await world.work()
    world.clock.pass_s(10**6)
    assert await world.store.forget(world.clock(), world.clock()) == 2
    assert [run.event.id for run in await world.store.page(None, ANY, None, 10)] == [waiting.id]


async def _fail(*_: object, **__: object) -> Sequence[object]:
    raise ClarionError(Code.UNAVAILABLE, "The message broker does not answer.")
