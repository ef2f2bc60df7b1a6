"""Replays to endpoints on real PostgreSQL and NATS: what failed is sent again, what was missed is sent."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import replays_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.ingest.ledger.record import merge
from services.ingest.ledger.rows import Item
from services.ingest.ledger.store import LedgerStore
from services.ingest.replays.pages import Subscribed
from services.ingest.replays.runner import ReplayPublisher, ReplayRunner
from services.ingest.replays.servicer import ReplayServicer
from services.ingest.replays.sql import PAGE
from services.ingest.replays.store import ReplayStore
from services.ingest.retries.publisher import DeliveryPublisher
from tests.integration.ingest import builders, webhooks
from tests.integration.ingest.builders import DEAD, QUEUED, SENT, SKIPPED
from tests.integration.ingest.ledger import Pool
from tests.integration.ingest.webhooks import FAILED
from tests.streams import Streams
from tests.waiting import end, eventually

A, B = new_id(), new_id()
RUNNING, DONE, CANCELLED = 1, 2, 3
ENVIRONMENT = new_id()


class OneSubscriber:
    """What the router knows of the endpoint A: it subscribes to these types."""

    def __init__(self, *types: str) -> None:
        self.types = list(types)

    async def of(self, tenant_id: str, endpoint_id: str) -> Subscribed:
        """Return A's types."""
        if endpoint_id != A:
            raise ClarionError(Code.NOT_FOUND, f"{tenant_id} has no such endpoint.")
        return Subscribed(ENVIRONMENT, self.types)


class Replays:
    """Store, runner and servicer of one tenant, as ingest wires them."""

    def __init__(self, tenant: str, pool: Pool, connection: Client) -> None:
        self.tenant = tenant
        self.pool = pool
        self.subscriber = OneSubscriber("order.confirmed")
        self.store, publisher = ReplayStore(pool, pool), ReplayPublisher(connection)
        self.runner = ReplayRunner(self.store, publisher, DeliveryPublisher(connection))
        self.servicer = ReplayServicer(self.store, publisher, self.runner, self.subscriber)

    async def call(self, method: str, **fields: Any) -> Any:
        """Call "StartReplay" or its like."""
        request = getattr(replays_pb2, f"{method}Request")(**fields)
        return await getattr(self.servicer, method)(request, None)

    async def write(self, *items: Item) -> None:
        """Write a group of the ledger."""
        await LedgerStore(self.pool, self.pool).write(merge(items))

    async def know(
        self, status: Any, count: int = 1, endpoints: Sequence[str] = (A,), reason: str = "", **fields: Any
    ) -> list[event_pb2.Event]:
        """Store events whose deliveries ended so."""
        events = [webhooks.event(self.tenant, *endpoints, weight=10, **fields) for _ in range(count)]
        items: list[Item] = []
        for event in events:
            items += [event, webhooks.plan(event)]
            items += [webhooks.attempted(event, endpoint, status, reason=reason) for endpoint in endpoints]
        await self.write(*items)
        return events

    async def begin(self, **fields: Any) -> replays_pb2.Replay:
        """Start a replay."""
        wanted = {"tenant_id": self.tenant, "since_us": 1_000, "per_second": 1000, **fields}
        replay: replays_pb2.Replay = (await self.call("StartReplay", **wanted)).replay
        return replay

    async def ended(self, **fields: Any) -> replays_pb2.Replay:
        """Replay, and wait for the end."""
        replay = await self.begin(**fields)
        running = asyncio.create_task(self.runner.run())

        async def over() -> replays_pb2.Replay | None:
            found: replays_pb2.Replay = (await self.call("GetReplay", replay_id=replay.id)).replay
            return found if found.state != RUNNING else None

        try:
            found = await eventually(over, 30)
        finally:
            await end(running)
        assert found is not None
        return found

    async def unfinished(self) -> tuple[int, int]:
        """The tenant's unfinished events, and their bytes."""
        row = await self.pool.fetchrow("SELECT unfinished, unfinished_bytes FROM ingest.backlog")
        assert row is not None
        return row["unfinished"], row["unfinished_bytes"]


@pytest.fixture
async def replays(pool: Pool, connection: Client) -> Replays:
    """The services of one tenant's replays."""
    tenant = new_id()
    await builders.insert_tenant(pool, tenant, unfinished=0)
    return Replays(tenant, pool, connection)


async def _retried(streams: Streams) -> list[tuple[str, int]]:
    """Return the id and the replay of each delivery that was sent again."""
    found = [event_pb2.Delivery.FromString(data) for data in await streams.messages("DELIVERIES")]
    assert all(delivery.attempt == 1 for delivery in found)
    return [(delivery.id, delivery.replay) for delivery in found]


@pytest.mark.parametrize("status", [DEAD, FAILED])
async def test_what_failed_is_sent_again_under_its_id(replays: Replays, streams: Streams, status: Any) -> None:
    """In pages, each once, and only this endpoint's; the events count as unfinished again."""
    events = await replays.know(status, PAGE + 10, [A, B])
    await replays.know(SENT, 3)
    ended = await replays.ended(endpoint_id=A, status=status)
    assert sorted(await _retried(streams)) == sorted((webhooks.delivery(event, A), 1) for event in events)
    assert (ended.state, ended.replayed, ended.unplayable, ended.endpoint_id) == (DONE, len(events), 0, A)
    assert await streams.events() == []
    assert await replays.unfinished() == (len(events), 10 * len(events))
    again = await replays.ended(endpoint_id=A, status=status)
    assert again.replayed == 0


async def test_only_of_a_time_and_a_type(replays: Replays, streams: Streams) -> None:
    """Accepted at or after since, before until."""
    events = [webhooks.event(replays.tenant, A) for _ in range(6)]
    for number, event in enumerate(events):
        builders.accept_before(event, 1 - number / 10)
        await replays.write(event, webhooks.plan(event), webhooks.attempted(event, A, DEAD))
    await replays.know(DEAD, 2, event_type="order.sent")
    since, until = (int(event.id.replace("-", "")[:12], 16) * 1000 for event in (events[1], events[4]))
    ended = await replays.ended(
        endpoint_id=A, status=DEAD, since_us=since, until_us=until, event_type="order.confirmed"
    )
    assert ended.replayed == 3
    assert {id_ for id_, _ in await _retried(streams)} == {webhooks.delivery(event, A) for event in events[1:4]}
    assert (await replays.ended(endpoint_id=A, status=DEAD, event_type="order.sent")).replayed == 2


@pytest.mark.parametrize("status", [DEAD, 0])
async def test_the_time_of_acceptance_decides(replays: Replays, streams: Streams, status: Any) -> None:
    """Of what failed, and of what was missed: ids were made before their events were accepted."""
    to = A if status == DEAD else B
    events = [webhooks.event(replays.tenant, to, weight=10) for _ in range(4)]
    for event, seconds in zip(events, (0, 0.005, 3600, 4 * 3600), strict=True):
        builders.made_before(event, seconds)
        if status != DEAD:
            event.scope = ENVIRONMENT
        await replays.write(event, webhooks.plan(event), webhooks.attempted(event, to, DEAD))
    since, until = events[1].accepted_at_us, events[3].accepted_at_us
    ended = await replays.ended(endpoint_id=A, status=status, since_us=since, until_us=until)
    assert ended.replayed == 2
    sent = {id_ for id_, _ in await _retried(streams)} | {event.replay_of for event in await streams.events()}
    assert sent == {webhooks.delivery(event, A) if status == DEAD else event.id for event in events[1:3]}


async def test_skipped_ones_that_can_be_sent_after_all(replays: Replays, streams: Streams) -> None:
    """By hand, and because the endpoint was gone; not what its filter left out."""
    by_hand = await replays.know(SKIPPED, reason="skipped_by_hand")
    gone = await replays.know(SKIPPED, reason="endpoint_gone")
    await replays.know(SKIPPED, reason="not_matched")
    ended = await replays.ended(endpoint_id=A, status=SKIPPED)
    wanted = {webhooks.delivery(event, A) for event in (*by_hand, *gone)}
    assert {id_ for id_, _ in await _retried(streams)} == wanted
    assert (ended.replayed, ended.unplayable) == (2, 0)


async def test_what_was_deleted_cannot_be_sent_again(replays: Replays, streams: Streams) -> None:
    """It is counted."""
    [kept, deleted] = await replays.know(DEAD, 2)
    await replays.pool.execute("DELETE FROM ingest.event_payloads WHERE event_id = $1", deleted.id)
    ended = await replays.ended(endpoint_id=A, status=DEAD)
    assert (ended.replayed, ended.unplayable) == (1, 1)
    assert await _retried(streams) == [(webhooks.delivery(kept, A), 1)]


async def test_a_replay_of_all_endpoints(replays: Replays, streams: Streams) -> None:
    """A replay of what died, with people and endpoints in one event: people get an event, endpoints their delivery."""
    event = builders.event(replays.tenant, id_scheme=1, variables=b"{}")
    sms = builders.delivery_id(event)
    plan = builders.routed(event, {sms: QUEUED})
    plan.routed.deliveries.extend(webhooks.planned(event, endpoint) for endpoint in (A, B))
    await replays.write(
        event,
        plan,
        builders.attempted(event, sms, DEAD),
        webhooks.attempted(event, A, DEAD),
        webhooks.attempted(event, B, SENT),
    )
    alone = await replays.know(DEAD, 3, [A, B])
    ended = await replays.ended(status=DEAD)
    [sent] = await streams.events()
    assert (sent.replay_of, list(sent.channels)) == (event.id, [builders.SMS])
    assert sent.HasField("endpoints")
    assert not sent.endpoints.endpoint_ids
    wanted = [webhooks.delivery(event, A), *(webhooks.delivery(one, to) for one in alone for to in (A, B))]
    assert sorted(id_ for id_, _ in await _retried(streams)) == sorted(wanted)
    assert ended.replayed == 1 + len(wanted)
    assert not await replays.pool.fetchval("SELECT count(*) FROM ingest.dead_letters WHERE replayed_at IS NULL")


async def test_a_page_ends_within_a_fan_out(replays: Replays, streams: Streams) -> None:
    """More endpoints of one event failed than a page holds: the next page goes on after the last of them."""
    endpoints = [new_id() for _ in range(2 * PAGE + 5)]
    [event] = await replays.know(FAILED, 1, endpoints)
    ended = await replays.ended(status=FAILED)
    assert ended.replayed == len(endpoints)
    assert {id_ for id_, _ in await _retried(streams)} == {webhooks.delivery(event, endpoint) for endpoint in endpoints}


async def test_a_page_that_was_cut_off_is_sent_once(replays: Replays, streams: Streams) -> None:
    """Published and not committed: it runs again, and the broker has each delivery once."""
    events = await replays.know(DEAD, PAGE)
    await replays.begin(endpoint_id=A, status=DEAD)

    class Crash(Exception):
        """The process dies."""

    async def crash(*_: Any, **__: Any) -> None:
        raise Crash

    with suppress(Crash):  # so that the transaction is rolled back
        async with replays.store.claimed() as claim:
            assert claim is not None
            claim.advance_retries = crash  # type: ignore[method-assign]
            await replays.runner._retry_page(claim)
    assert await streams.count("DELIVERIES") == PAGE
    # One of them was sent before the replay goes on, and the ledger knows it.
    await replays.write(webhooks.attempted(events[0], A, SENT, 1, replay=1))
    running = asyncio.create_task(replays.runner.run())

    async def over() -> bool:
        [replay] = (await replays.call("ListReplays", tenant_id=replays.tenant)).replays
        return bool(replay.state == DONE)

    await eventually(over, 30)
    await end(running)
    assert sorted(await _retried(streams)) == sorted((webhooks.delivery(event, A), 1) for event in events)


async def test_what_an_endpoint_missed(replays: Replays, streams: Streams) -> None:
    """Events of its types and environment that it has no delivery of, to it alone; once, however often."""
    missed = await replays.know(SENT, 3, [B], scope=ENVIRONMENT)
    missed += await replays.know(DEAD, 1, [B])
    to_people = builders.event(replays.tenant, variables=b'{"n":1}', channels=[builders.SMS])
    await replays.write(to_people, builders.routed(to_people, {builders.delivery_id(to_people): QUEUED}))
    missed.append(to_people)
    await replays.know(SENT, 2, [A, B])
    await replays.know(SENT, 2, [B], event_type="order.sent")
    await replays.know(SENT, 2, [B], scope=new_id())
    unplanned = webhooks.event(replays.tenant)
    replayed = webhooks.event(replays.tenant, B, replay_of=missed[0].id)
    await replays.write(unplanned, replayed, webhooks.plan(replayed))
    ended = await replays.ended(endpoint_id=A)
    sent = await streams.events()
    assert sorted(event.replay_of for event in sent) == sorted(event.id for event in missed)
    assert (ended.replayed, ended.unplayable) == (len(missed), 0)
    for event in sent:
        assert list(event.endpoints.endpoint_ids) == [A]
        assert not event.HasField("recipient")
        assert not event.audience
        assert (event.variables, list(event.channels)) == (b'{"n":1}', [])
    for event in sent:
        await replays.write(event, webhooks.plan(event), webhooks.attempted(event, A, SENT))
    assert (await replays.ended(endpoint_id=A)).replayed == 0
    assert (await replays.ended(endpoint_id=A, event_type="order.sent")).replayed == 2


async def test_what_was_sent_to_another_endpoint_by_name_was_not_missed(replays: Replays, streams: Streams) -> None:
    """It was for that endpoint alone, which may be of another customer of the tenant."""
    named = [webhooks.event(replays.tenant, B, weight=10, scope=ENVIRONMENT) for _ in range(2)]
    for event in named:
        event.endpoints.is_named = True
        await replays.write(event, webhooks.plan(event), webhooks.attempted(event, B, SENT))
    [missed] = await replays.know(SENT, 1, [B], scope=ENVIRONMENT)
    ended = await replays.ended(endpoint_id=A)
    assert [event.replay_of for event in await streams.events()] == [missed.id]
    assert (ended.replayed, ended.unplayable) == (1, 0)


async def test_dead_letters_of_others_stay_when_an_endpoint_gets_what_it_missed(replays: Replays) -> None:
    """They were not sent again."""
    await replays.know(DEAD, 1, [B])
    await replays.ended(endpoint_id=A)
    assert await replays.pool.fetchval("SELECT count(*) FROM ingest.dead_letters WHERE replayed_at IS NULL") == 1


async def test_what_cannot_be_started(replays: Replays, connection: Client) -> None:
    """No such endpoint, no subscription, a second one of the endpoint; without the router's address, none of these."""
    cases: list[tuple[dict[str, Any], Code]] = [
        ({"endpoint_id": B}, Code.NOT_FOUND),
        ({"endpoint_id": "x"}, Code.INVALID),
        ({"event_type": "x" * 256}, Code.INVALID),
    ]
    for fields, code in cases:
        with pytest.raises(ClarionError) as refusal:
            await replays.begin(**fields)
        assert refusal.value.code is code
    await replays.begin(endpoint_id=A, status=DEAD)
    with pytest.raises(ClarionError) as refusal:
        await replays.begin(endpoint_id=A, status=FAILED)
    assert refusal.value.code is Code.CONFLICT
    await replays.begin(endpoint_id=B, status=DEAD)
    await replays.begin(status=DEAD)
    replays.subscriber.types = []
    with pytest.raises(ClarionError) as refusal:
        await replays.begin(endpoint_id=A)
    assert refusal.value.code is Code.CONFLICT
    replays.servicer = ReplayServicer(replays.store, ReplayPublisher(connection), replays.runner)
    with pytest.raises(ClarionError) as refusal:
        await replays.begin(endpoint_id=A)
    assert refusal.value.code is Code.UNAVAILABLE


async def test_it_waits_and_can_be_cancelled(replays: Replays, streams: Streams) -> None:
    """While half of the quota is used; a process of the version before does not run it."""
    await replays.know(DEAD, 3)
    await replays.pool.execute("UPDATE ingest.backlog SET unfinished = 90000")
    replay = await replays.begin(endpoint_id=A, status=DEAD)
    assert replay.state == RUNNING
    assert await replays.pool.fetchval("SELECT count(*) FROM ingest.replays WHERE state = 1") == 0
    running = asyncio.create_task(replays.runner.run())

    async def waits() -> bool:
        found = (await replays.call("GetReplay", replay_id=replay.id)).replay
        return bool(found.waiting == "backlog")

    await eventually(waits)
    cancelled = (await replays.call("CancelReplay", replay_id=replay.id)).replay
    assert (cancelled.state, cancelled.replayed) == (CANCELLED, 0)
    await end(running)
    assert await _retried(streams) == []


async def test_a_whole_event_goes_to_the_same_endpoints(replays: Replays, streams: Streams) -> None:
    """By hand and in the background; one that nobody subscribed to is left out."""
    [event] = await replays.know(SENT, 1, [A, B])
    nobody = webhooks.event(replays.tenant)
    nobody.endpoints.SetInParent()
    await replays.write(nobody, webhooks.plan(nobody))
    await replays.call("ReplayEvent", event_id=event.id)
    ended = await replays.ended()
    sent = await streams.events()
    assert [(one.replay_of, list(one.endpoints.endpoint_ids)) for one in sent] == [(event.id, [A, B])] * 2
    assert (ended.replayed, ended.unplayable) == (1, 0)
