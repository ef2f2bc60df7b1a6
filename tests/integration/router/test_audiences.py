"""Events to several people, and events that are planned later: on real NATS, with stored recipients in memory."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import clock
from runtime.ids import new_id
from runtime.parts import OwnParts
from services.delivery.bodies import Bodies
from services.domain import topology
from services.domain.reasons import Reason
from services.router import policies
from services.router.catalog import Catalog
from services.router.consumer import RouterConsumer
from services.router.filtering import Filtering
from services.router.owners import ConfigurationOwners
from services.router.planner import EventPlanner
from services.router.policies import Candidate
from tests.fakes.configuration import MemoryWatch
from tests.fakes.grpc import MemoryCaller, MemoryChannel
from tests.fakes.router import MemoryRuns
from tests.fakes.router_recipients import MemoryRecipients
from tests.integration.ingest import builders
from tests.integration.router.conftest import Routed
from tests.streams import Streams
from tests.waiting import eventually

TYPE = "order.confirmed"
PUSH = event_pb2.CHANNEL_PUSH
TENANT = new_id()
HOUR_US = 3_600_000_000


class Router:
    """A router's consumer.

    planned: the events of which something was planned, as often as it was. erased: ids of those who were erased since.
    end: ends it.
    """

    end: Callable[[], Awaitable[None]]

    def __init__(self, connection: Client) -> None:
        self.recipients = MemoryRecipients()
        self.runs = MemoryRuns()
        self.planned: list[str] = []
        self.erased: set[str] = set()
        self._watch = MemoryWatch()
        self._own = OwnParts()
        channel: Any = MemoryChannel()
        watch: Any = self._watch
        caller: Any = MemoryCaller({})
        owners = ConfigurationOwners(ingest=channel, render=channel, senders=channel, caller=caller, own=self._own)
        everything = policies.of_everything(lambda *_, **__: "", self._erased, lambda *_: False)
        noted = everything._replace(people=[self._note, *everything.people])
        self.consumer = RouterConsumer(
            connection,
            Catalog(watch, owners),
            EventPlanner(noted, Filtering(Bodies(connection, channel, caller, self._own))),
            self.recipients,
            self.runs,
            erased=self._erased,
            own=self._own,
        )

    def tenant(self, tenant_id: str = TENANT) -> None:
        """Make a tenant whose events are pushed."""
        self._watch.put(topology.tenant_key(tenant_id), {"id": tenant_id})
        template = {"channel": "PUSH", "template_version_id": "v1"}
        self._watch.put(topology.templates_key(tenant_id, TYPE), [template])

    def _erased(self, tenant_id: str, user_id: str, accepted_us: int) -> str:
        return Reason.RECIPIENT_ERASED if user_id in self.erased else ""

    def _note(self, candidate: Candidate) -> str:
        self.planned.append(candidate.event.id)
        return ""


@pytest.fixture
async def router(connection: Client) -> AsyncIterator[Router]:
    """A running router with one tenant."""
    made = Router(connection)
    made.tenant()
    running = asyncio.create_task(made.consumer.run())

    async def end() -> None:
        await made.consumer.drain()
        await running

    made.end = end
    yield made
    await end()


def _event(*targets: event_pb2.Target, tenant_id: str = TENANT, **fields: Any) -> event_pb2.Event:
    event = builders.event(tenant_id, audience=targets, id_scheme=1, **fields)
    if targets:
        event.ClearField("recipient")
    return event


def _described(user_id: str) -> event_pb2.Target:
    return event_pb2.Target(recipient=event_pb2.Recipient(user_id=user_id))


def _stored(recipient_id: str) -> event_pb2.Target:
    return event_pb2.Target(recipient_id=recipient_id)


async def test_each_recipient_gets_a_delivery(router: Router, streams: Streams, routed: Routed) -> None:
    """Described or stored, each once; the record says who gets what, and who is unknown."""
    router.recipients.store(TENANT, "bob")
    event = _event(_described("ada"), _stored("bob"), _stored("eve"), _described("ada"))
    await streams.publish(builders.accepted(event))
    await eventually(routed.all_acked)
    deliveries = await routed.deliveries()
    assert [one.recipient.user_id for one in deliveries] == ["ada", "bob"]
    record = (await routed.records())[event.id]
    assert [(one.recipient.user_id, one.reason) for one in record.deliveries] == [
        ("ada", ""),
        ("bob", ""),
        ("eve", "recipient_unknown"),
    ]
    assert not record.continues


async def test_only_events_with_stored_recipients_wait_for_the_database(
    router: Router, streams: Streams, routed: Routed
) -> None:
    """While it is away all others are sent; then those that waited are."""
    router.recipients.store(TENANT, "bob")
    router.recipients.away = True
    waiting, described, single = _event(_stored("bob")), _event(_described("ada")), _event()
    await streams.publish(*[builders.accepted(one) for one in (waiting, described, single)])
    await eventually(lambda: _are_recorded(routed, described, single))
    assert waiting.id not in await routed.records()
    assert not await routed.all_acked()
    router.recipients.away = False
    await eventually(routed.all_acked)
    assert sorted(one.recipient.user_id for one in await routed.deliveries()) == ["ada", "bob", "u1"]


async def test_events_that_are_planned_later_are_kept(
    router: Router, streams: Streams, routed: Routed, connection: Client
) -> None:
    """They are acknowledged when their run is stored. Nothing of them is planned; one that waits says until when."""
    router.runs.away = True
    now = clock.now_us()
    due = _event(due_at_us=now + HOUR_US)
    group = _event(event_pb2.Target(group="g"), _described("ada"))
    without_group = _event(_described("ada"), exclusions=[event_pb2.Target(group="g")])
    past = _event(due_at_us=1)  # before it was accepted
    await streams.publish(*[builders.accepted(one) for one in (due, group, without_group, past)])
    await eventually(lambda: _are_recorded(routed, past))
    await eventually(lambda: router.runs.asked)
    assert not await routed.all_acked()
    router.runs.away = False
    await eventually(routed.all_acked)
    assert set(router.runs.begun) == {due.id, group.id, without_group.id}
    assert router.runs.begun[due.id].event == due
    assert router.runs.begun[due.id].sequence == 1
    assert [one.event_id for one in await routed.deliveries()] == [past.id]
    records = [
        record
        for data in await streams.messages(topology.TRACE)
        for record in trace_pb2.TraceBatch.FromString(data).records
    ]
    assert [(one.event_id, one.waiting.until_us) for one in records if one.HasField("waiting")] == [
        (due.id, now + HOUR_US)
    ]
    assert {one.event_id for one in records} == {due.id, past.id}


async def test_a_time_that_had_come_when_the_event_was_accepted_is_at_once(
    router: Router, streams: Streams, routed: Routed
) -> None:
    """Though this router's clock is behind: admission has counted it as one that does not wait."""
    hour = clock.now_us() + HOUR_US
    early, paged = _event(due_at_us=hour), _event(event_pb2.Target(group="g"), due_at_us=hour)
    early.accepted_at_us = paged.accepted_at_us = hour
    await streams.publish(builders.accepted(early), builders.accepted(paged))
    await eventually(routed.all_acked)
    assert [one.event_id for one in await routed.deliveries()] == [early.id]
    assert list(router.runs.begun) == [paged.id]
    records = [trace_pb2.TraceBatch.FromString(data).records for data in await streams.messages(topology.TRACE)]
    assert not [one for batch in records for one in batch if one.HasField("waiting")]


async def test_an_event_that_is_read_again_after_its_time_has_its_run(
    router: Router, streams: Streams, routed: Routed
) -> None:
    """A router stored the run and ended before it acknowledged: the run alone plans the event, or is paused."""
    now = clock.now_us()
    event = _event(due_at_us=now - 1)
    event.accepted_at_us = now - HOUR_US
    await streams.publish(builders.accepted(event))
    await eventually(routed.all_acked)
    assert (list(router.runs.begun), router.planned) == ([event.id], [])
    assert await streams.messages(topology.TRACE) == []  # it waits for nothing


async def test_who_was_erased_meanwhile_is_in_no_run(router: Router, streams: Streams, routed: Routed) -> None:
    """The others keep their places; an event for nobody else is planned at once, and says why it is not sent."""
    router.erased = {"ada", "bob", "u1"}
    due = clock.now_us() + HOUR_US
    nameless = event_pb2.Target(recipient=event_pb2.Recipient(email="nameless@example.com"))
    among = _event(_described("ada"), nameless, _stored("bob"), due_at_us=due, exclusions=[_stored("ada")])
    only = _event(due_at_us=due)
    await streams.publish(builders.accepted(among), builders.accepted(only))
    await eventually(routed.all_acked)
    kept = router.runs.begun[among.id].event
    assert (list(kept.audience), list(kept.exclusions)) == ([event_pb2.Target(), nameless, event_pb2.Target()], [])
    assert list(router.runs.begun) == [among.id]
    assert await routed.deliveries() == []
    assert {one.reason for one in (await routed.records())[only.id].deliveries} == {Reason.RECIPIENT_ERASED}


async def test_who_is_erased_while_the_run_cannot_be_stored(router: Router, streams: Streams, routed: Routed) -> None:
    """Each try looks again: the erasure may have passed the rows before this one is there."""
    router.runs.away = True
    event = _event(_described("ada"), _described("bob"), due_at_us=clock.now_us() + HOUR_US)
    await streams.publish(builders.accepted(event))
    await eventually(lambda: router.runs.asked)
    router.erased = {"ada"}
    router.runs.away = False
    await eventually(routed.all_acked)
    assert list(router.runs.begun[event.id].event.audience) == [event_pb2.Target(), _described("bob")]


async def test_an_event_of_a_later_version_is_left_to_it(router: Router, streams: Streams, routed: Routed) -> None:
    """This version cannot make the ids of its deliveries: it stays in the stream, and others are planned."""
    later, today = _event(), _event()
    later.id_scheme = 99
    await streams.publish(builders.accepted(later), builders.accepted(today))
    await eventually(lambda: _are_recorded(routed, today))
    assert later.id not in await routed.records()
    assert not await routed.all_acked()


async def test_few_large_events_are_planned_at_a_time(router: Router, streams: Streams, routed: Routed) -> None:
    """While the broker takes nothing, a tenant's flood stays as events; nobody else's events and no small ones wait."""
    other = new_id()
    router.tenant(other)
    await streams.refuse(topology.DELIVERIES)
    flood = [_event(*[_described(f"u{n}") for n in range(100)]) for _ in range(30)]
    await streams.publish(*[builders.accepted(one) for one in flood])
    beside = _event(_described("ada"), _described("bob"), tenant_id=other)
    for single in (_event(), _event()):  # when the second one is planned, all before the first one had their turn
        await streams.publish(builders.accepted(beside), builders.accepted(single))
        await eventually(lambda single=single: single.id in router.planned)
    await eventually(lambda: beside.id in router.planned)
    assert len(set(router.planned) & {one.id for one in flood}) == 8
    await streams.relent(topology.DELIVERIES)
    await eventually(routed.all_acked, 60)
    deliveries = await routed.deliveries()
    assert len(deliveries) == len({one.id for one in deliveries}) == 30 * 100 + 2 + 2


async def test_a_router_that_is_to_end_leaves_them(router: Router, streams: Streams, routed: Routed) -> None:
    """What waits for its turn is not planned any more: another router gets it."""
    await streams.refuse(topology.DELIVERIES)
    flood = [_event(_described("ada"), _described("bob")) for _ in range(20)]
    await streams.publish(*[builders.accepted(one) for one in flood])
    await eventually(lambda: len(set(router.planned)) == 8)
    await router.end()
    assert len(set(router.planned)) == 8
    assert not await routed.all_acked()


async def _are_recorded(routed: Routed, *events: event_pb2.Event) -> bool:
    records = await routed.records()
    return all(event.id in records for event in events)
