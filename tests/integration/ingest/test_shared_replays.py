"""Replays of events with several recipients: to those who missed something, on the channels on which they missed it."""

import asyncio
from typing import Any, TypeAlias

import asyncpg
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import replays_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.ingest.ledger.record import merge
from services.ingest.ledger.rows import Item
from services.ingest.ledger.store import LedgerStore
from services.ingest.replays.runner import ReplayPublisher, ReplayRunner
from services.ingest.replays.servicer import ReplayServicer
from services.ingest.replays.sql import PAGE
from services.ingest.replays.store import ReplayStore
from services.ingest.retries.publisher import DeliveryPublisher
from tests.integration.ingest import builders
from tests.integration.ingest.builders import DEAD, QUEUED, SENT, SKIPPED, SMS
from tests.streams import Streams
from tests.waiting import end, eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
EMAIL = event_pb2.CHANNEL_EMAIL
_RUNNING = 1
_ALL = builders.group("all")
# How each user's delivery on each channel ended.
Ends: TypeAlias = dict[tuple[str, event_pb2.Channel.ValueType], trace_pb2.DeliveryStatus.ValueType]


class Replays:
    """Store, runner and servicer of one tenant, as ingest wires them."""

    def __init__(self, tenant: str, pool: Pool, connection: Client) -> None:
        self.tenant = tenant
        self.pool = pool
        store, publisher = ReplayStore(pool, pool), ReplayPublisher(connection)
        self.store = store
        self.runner = ReplayRunner(store, publisher, DeliveryPublisher(connection))
        self.servicer = ReplayServicer(store, publisher, self.runner)

    async def call(self, method: str, **fields: Any) -> Any:
        """Call "ReplayEvent" or its like."""
        request = getattr(replays_pb2, f"{method}Request")(**fields)
        return await getattr(self.servicer, method)(request, None)

    async def write(self, *items: Item) -> None:
        """Write a group of the ledger."""
        await LedgerStore(self.pool, self.pool).write(merge(items))

    async def ended(self, **fields: Any) -> replays_pb2.Replay:
        """Replay, and wait for the end."""
        wanted = {"tenant_id": self.tenant, "since_us": 1_000, "per_second": 1000, **fields}
        replay_id = (await self.call("StartReplay", **wanted)).replay.id
        running = asyncio.create_task(self.runner.run())

        async def over() -> replays_pb2.Replay | None:
            found: replays_pb2.Replay = (await self.call("GetReplay", replay_id=replay_id)).replay
            return found if found.state != _RUNNING else None

        found = await eventually(over, 30)
        assert found is not None
        await end(running)
        return found


@pytest.fixture
async def replays(pool: Pool, connection: Client) -> Replays:
    """The services of one tenant's replays."""
    tenant = new_id()
    await builders.insert_tenant(pool, tenant, unfinished=0)
    return Replays(tenant, pool, connection)


def _audience(event: event_pb2.Event) -> set[str]:
    """Return the ids of whom an event is for."""
    return {
        target.recipient.user_id or target.recipient.email if target.HasField("recipient") else target.recipient_id
        for target in event.audience
        if target.WhichOneof("target")
    }


async def _know(replays: Replays, event: event_pb2.Event, ends: Ends) -> None:
    """Store an event whose deliveries, by user and channel, ended so."""
    plans = [
        builders.planned(event, user, SKIPPED if status == SKIPPED else QUEUED, channel=channel)
        for (user, channel), status in ends.items()
    ]
    records = []
    for plan, status in zip(plans, ends.values(), strict=True):
        if status != SKIPPED:
            record = builders.attempted(event, plan.delivery_id, status)
            record.attempted.channel = plan.channel
            records.append(record)
    await replays.write(event, *builders.parts(event, plans), *records)


async def test_only_who_missed_it_gets_it_again(replays: Replays, streams: Streams) -> None:
    """One dead text message of three recipients with two channels each: nobody else gets anything."""
    event = builders.shared_event(replays.tenant, *map(builders.person, ("ada", "bob", "eve")))
    ends = {(user, channel): SENT for user in ("ada", "bob", "eve") for channel in (SMS, EMAIL)}
    await _know(replays, event, {**ends, ("bob", SMS): DEAD})
    ended = await replays.ended(status=DEAD)
    [sent] = await streams.events()
    assert (_audience(sent), list(sent.channels), sent.replay_of) == ({"bob"}, [SMS], event.id)
    assert (ended.replayed, ended.unplayable) == (1, 0)
    assert await replays.pool.fetchval("SELECT count(*) FROM ingest.dead_letters WHERE replayed_at IS NULL") == 0


async def test_who_missed_different_channels(replays: Replays, streams: Streams) -> None:
    """One event for each set of channels; a second replay finds nothing left to send."""
    event = builders.shared_event(replays.tenant, *map(builders.person, ("ada", "bob", "eve", "joe")))
    await _know(
        replays,
        event,
        {
            ("ada", SMS): DEAD,
            ("ada", EMAIL): SENT,
            ("bob", SMS): SENT,
            ("bob", EMAIL): DEAD,
            ("eve", SMS): DEAD,
            ("eve", EMAIL): DEAD,
            ("joe", SMS): DEAD,
            ("joe", EMAIL): SENT,
        },
    )
    assert (await replays.ended(status=DEAD)).replayed == 3
    sent = await streams.events()
    assert sorted((sorted(_audience(one)), sorted(one.channels)) for one in sent) == [
        (["ada", "joe"], [SMS]),
        (["bob"], [EMAIL]),
        (["eve"], [EMAIL, SMS]),
    ]
    for one in sent:
        users, channels = _audience(one), list(one.channels)
        await _know(replays, one, {(user, channel): SENT for user in users for channel in channels})
    assert (await replays.ended(status=DEAD)).replayed == 0


async def test_one_recipient_s_replay_is_not_another_one_s(replays: Replays, streams: Streams) -> None:
    """Two missed the same channel, and one has it by now: the other one still gets it."""
    event = builders.shared_event(replays.tenant, *map(builders.person, ("ada", "bob")))
    await _know(replays, event, {("ada", SMS): DEAD, ("bob", SMS): DEAD})
    await replays.call("ReplayEvent", event_id=event.id, recipients=["ada"])
    [first] = await streams.events()
    await _know(replays, first, {("ada", SMS): SENT})
    assert (await replays.ended(status=DEAD)).replayed == 1
    assert [_audience(one) for one in await streams.events()] == [{"ada"}, {"bob"}]


async def test_more_recipients_than_a_page(replays: Replays, streams: Streams) -> None:
    """Of 2,000 members of a group 130 missed it: each is named once, over several pages."""
    users = [f"u{number:04}" for number in range(2000)]
    event = builders.shared_event(replays.tenant, builders.group("all"))
    missed = set(users[100:2000:15])
    assert len(missed) > 2 * PAGE
    await _know(replays, event, {(user, SMS): DEAD if user in missed else SENT for user in users})
    other = builders.event(replays.tenant)
    id_ = builders.delivery_id(other)
    await replays.write(other, builders.routed(other, {id_: QUEUED}), builders.attempted(other, id_, DEAD))
    ended = await replays.ended(status=DEAD)
    sent = await streams.events()
    named = [user for one in sent if one.replay_of == event.id for user in _audience(one)]
    assert sorted(named) == sorted(missed)
    assert not any(target.WhichOneof("target") == "group" for one in sent for target in one.audience)
    assert [one.recipient.user_id for one in sent if one.replay_of == other.id] == ["u1"]
    assert ended.replayed == len(sent)


async def test_what_a_stored_workflow_sent_is_not_replayed_by_its_status(replays: Replays, streams: Streams) -> None:
    """A replay would begin the workflow again, and repeat the steps before. A replay of everything does that."""
    plain, finished, running = [
        builders.shared_event(replays.tenant, _ALL),
        *[
            builders.workflow_event(replays.tenant, new_id(), targets=[target])
            for target in (_ALL, builders.contact("u"))
        ],
    ]
    for event in (plain, finished, running):
        workflow_id = next((one.workflow_id for one in event.workflows.workflows), "")
        plan = builders.planned(event, "ada", workflow_id=workflow_id, destination="ada")
        await replays.write(event, builders.plan(event, [plan], continues=True), builders.released(event))
        await replays.write(builders.attempted(event, plan.delivery_id, DEAD))
        if event is not running:
            await replays.write(builders.plan(event, [], total=1))
    assert (await replays.ended(status=DEAD)).replayed == 1
    [sent] = await streams.events()
    assert sent.replay_of == plain.id
    assert (await replays.ended()).replayed == 2
    again = {one.replay_of: one for one in await streams.events() if one.id != sent.id}
    assert again.keys() == {plain.id, finished.id}
    assert again[finished.id].workflows == finished.workflows


async def test_the_database_has_destinations_in_the_order_of_python(pool: Pool) -> None:
    """Whatever its own order is: else a page would go on after a recipient whom SQL has elsewhere, and send twice."""
    tables = await pool.fetch(
        "SELECT table_name, collation_name FROM information_schema.columns"
        " WHERE table_schema = 'ingest' AND column_name = 'destination' ORDER BY 1"
    )
    assert [tuple(row) for row in tables] == [("deliveries", "C"), ("recipients", "C"), ("workflow_steps", "C")]


async def test_a_page_that_was_cut_off_reaches_each_recipient_once(replays: Replays, streams: Streams) -> None:
    """Published and not committed, partly read by the ledger: the page runs again and publishes the same events."""
    users = [f"u{number:02}" for number in range(30)]
    event = builders.shared_event(replays.tenant, *map(builders.person, users))
    ends = {(user, SMS): DEAD for user in users} | {(user, EMAIL): DEAD for user in users[:10]}
    await _know(replays, event, ends)
    await replays.call("StartReplay", tenant_id=replays.tenant, since_us=1000, status=DEAD)

    async def cut_off() -> None:
        async with replays.store.claimed() as claim:
            assert claim is not None
            await replays.runner._page(claim)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await cut_off()
    first = await streams.events()
    await _know(replays, first[0], {(user, SMS): SENT for user in _audience(first[0])})
    with pytest.raises(InterruptedError):
        await cut_off()
    again = await streams.events()
    assert [one.id for one in again] == [one.id for one in first]
    assert sorted(user for one in again for user in _audience(one)) == users


async def test_some_recipients_of_one_event(replays: Replays, streams: Streams) -> None:
    """Named by their user ids; others of the event get nothing, and who is none of them is INVALID."""
    event = builders.shared_event(
        replays.tenant, builders.person("ada", "ada@example.org"), builders.group("team"), weight=7
    )
    await _know(replays, event, {("ada", SMS): DEAD, ("eve", SMS): DEAD, ("joe", SMS): DEAD})
    await replays.call("ReplayEvent", event_id=event.id, recipients=["ada", "eve"])
    [sent] = await streams.events()
    assert _audience(sent) == {"ada", "eve"}
    assert sent.audience[0].recipient.email == "ada@example.org"
    waiting = await replays.pool.fetchval("SELECT count(*) FROM ingest.dead_letters WHERE replayed_at IS NULL")
    assert waiting == 1
    alone = builders.event(replays.tenant, user_id="ada")
    await replays.write(alone)
    for event_id, recipients in ((event.id, ["mallory"]), (event.id, ["ada"] * 101), (alone.id, ["bob"])):
        with pytest.raises(ClarionError) as refused:
            await replays.call("ReplayEvent", event_id=event_id, recipients=recipients)
        assert [name for name, _ in refused.value.fields] == ["recipients"]
    await replays.call("ReplayEvent", event_id=alone.id, recipients=["ada"])


async def test_the_whole_event_goes_to_its_audience(replays: Replays, streams: Streams) -> None:
    """Groups are read again, and the exclusions hold; a time that has passed does not delay it."""
    event = builders.shared_event(replays.tenant, builders.person("ada"), builders.group("team"))
    event.exclusions.append(event_pb2.Target(recipient_id="joe"))
    event.due_at_us = event.accepted_at_us + 1_000_000
    await _know(replays, event, {("ada", SMS): SENT, ("eve", SMS): SENT})
    await replays.call("ReplayEvent", event_id=event.id)
    await replays.ended()
    for sent in await streams.events():
        assert (sent.audience, sent.exclusions) == (event.audience, event.exclusions)
        assert (sent.due_at_us, sent.id_scheme) == (0, 1)


async def test_a_canceled_event_is_not_sent_as_a_skipped_one(replays: Replays, streams: Streams) -> None:
    """Nothing was planned because someone canceled it; a replay of all events sends it."""
    event = builders.event(replays.tenant)
    await replays.write(event, builders.canceled(event), builders.plan(event, [], reason="canceled"))
    assert (await replays.ended(status=SKIPPED)).replayed == 0
    assert (await replays.ended()).replayed == 1
    assert len(await streams.events()) == 1


async def test_an_erased_recipient_gets_nothing(replays: Replays, streams: Streams) -> None:
    """They have a row without addresses."""
    event = builders.shared_event(replays.tenant, builders.person("ada"), builders.group("team"))
    await _know(replays, event, {("ada", SMS): DEAD, ("eve", SMS): DEAD})
    await replays.pool.execute("UPDATE ingest.recipients SET addresses = NULL WHERE user_id = 'eve'")
    await replays.ended(status=DEAD)
    assert [_audience(one) for one in await streams.events()] == [{"ada"}]
    with pytest.raises(ClarionError) as refused:
        await replays.call("ReplayEvent", event_id=event.id, recipients=["eve"])
    assert refused.value.code is Code.INVALID


async def test_somebody_who_is_excluded_is_no_recipient(replays: Replays, streams: Streams) -> None:
    """A replay to them alone is refused, and is not sent to the others instead."""
    event = builders.shared_event(replays.tenant, event_pb2.Target(recipient_id="ada"))
    event.exclusions.append(event_pb2.Target(recipient_id="joe"))
    await _know(replays, event, {("ada", SMS): SENT})
    with pytest.raises(ClarionError, match="must be user ids of the event's recipients") as refused:
        await replays.call("ReplayEvent", event_id=event.id, recipients=["joe"])
    assert (refused.value.code, await streams.events()) == (Code.INVALID, [])
    await replays.call("ReplayEvent", event_id=event.id, recipients=["ada"])
    assert [_audience(one) for one in await streams.events()] == [{"ada"}]


async def test_an_event_that_still_waits_is_not_replayed(replays: Replays, streams: Streams) -> None:
    """CONFLICT, or it would be sent at once and again at its time; after it was sent it can be."""
    event = builders.event(replays.tenant)
    event.due_at_us = event.accepted_at_us + 86_400_000_000
    await replays.write(event, builders.waiting(event, event.due_at_us))
    with pytest.raises(ClarionError, match="still waits") as refused:
        await replays.call("ReplayEvent", event_id=event.id)
    assert (refused.value.code, await streams.events()) == (Code.CONFLICT, [])
    delivery_id = builders.delivery_id(event)
    await replays.write(builders.routed(event, {delivery_id: QUEUED}))
    await replays.call("ReplayEvent", event_id=event.id)
    assert len(await streams.events()) == 1


async def test_an_id_that_looks_like_a_place(replays: Replays, streams: Streams) -> None:
    """The first recipient has no id, the second one is called "#0": a replay to one is not to the other."""
    first = event_pb2.Target(recipient=event_pb2.Recipient(phone="+254711000001"))
    event = builders.shared_event(replays.tenant, first, builders.person("#0"))
    plans = [
        builders.planned(event, "", recipient=first.recipient, destination="#0"),
        builders.planned(event, "#0"),
    ]
    records = [
        builders.attempted(event, plan.delivery_id, status) for plan, status in zip(plans, (SENT, DEAD), strict=True)
    ]
    await replays.write(event, *builders.parts(event, plans), *records)
    assert await replays.pool.fetchval("SELECT count(*) FROM ingest.recipients") == 2
    await replays.call("ReplayEvent", event_id=event.id, recipients=["#0"])
    assert (await replays.ended(status=DEAD)).replayed == 1
    assert [_audience(one) for one in await streams.events()] == [{"#0"}, {"#0"}]


async def test_a_replay_that_has_ended_names_nobody(replays: Replays) -> None:
    """Neither a canceled one, in the middle of an event, nor one that is done."""
    users = [f"u{number:03}" for number in range(PAGE + 10)]
    event = builders.shared_event(replays.tenant, builders.group("all"))
    await _know(replays, event, {(user, SMS): DEAD for user in users})
    started = await replays.call("StartReplay", tenant_id=replays.tenant, since_us=1000, status=DEAD)
    async with replays.store.claimed() as claim:
        assert claim is not None
        await replays.runner._page(claim)
    position = "SELECT position_destination FROM ingest.replays ORDER BY id DESC LIMIT 1"
    assert await replays.pool.fetchval(position) == users[PAGE - 1]
    await replays.call("CancelReplay", replay_id=started.replay.id)
    assert await replays.pool.fetchval(position) is None
    await replays.ended(status=DEAD)
    assert await replays.pool.fetchval(position) is None
