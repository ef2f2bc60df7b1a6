"""Replays on real PostgreSQL and NATS: one event, many in the background, interrupted, cancelled, paced."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import replays_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.ingest.event_ids import lowest_id
from services.ingest.ledger.record import merge
from services.ingest.ledger.store import LedgerStore
from services.ingest.replays import clone
from services.ingest.replays.runner import ReplayPublisher, ReplayRunner
from services.ingest.replays.servicer import ReplayServicer
from services.ingest.replays.sql import PAGE
from services.ingest.replays.store import ReplayStore
from services.ingest.retries.publisher import DeliveryPublisher
from tests.integration.ingest import builders
from tests.integration.ingest.builders import DEAD, QUEUED, SENT, SKIPPED, SMS
from tests.statement_timeouts import refuse_short_timeouts
from tests.streams import Streams
from tests.waiting import end, eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
EMAIL = event_pb2.CHANNEL_EMAIL
FAILED = trace_pb2.DELIVERY_STATUS_FAILED
RUNNING, DONE, CANCELLED = 1, 2, 3


@dataclass
class Replays:
    """Store, runner and servicer in this process, as ingest wires them."""

    tenant: str
    pool: Pool
    store: ReplayStore
    runner: ReplayRunner
    servicer: ReplayServicer

    async def call(self, method: str, **fields: Any) -> Any:
        """Call "StartReplay" or its like."""
        request = getattr(replays_pb2, f"{method}Request")(**fields)
        return await getattr(self.servicer, method)(request, None)

    async def begin(self, **fields: Any) -> replays_pb2.Replay:
        """Start a replay of all events."""
        wanted = {"tenant_id": self.tenant, "since_us": 1_000, "per_second": 1000, **fields}
        replay: replays_pb2.Replay = (await self.call("StartReplay", **wanted)).replay
        return replay

    async def ended(self, replay: replays_pb2.Replay) -> replays_pb2.Replay:
        """Wait until the replay has ended."""

        async def over() -> replays_pb2.Replay | None:
            found: replays_pb2.Replay = (await self.call("GetReplay", replay_id=replay.id)).replay
            return found if found.state != RUNNING else None

        found = await eventually(over, 30)
        assert found is not None
        return found

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let the runner work for a while."""
        task = asyncio.create_task(self.runner.run())
        try:
            yield
        finally:
            with suppress(Exception):  # what it could not do is seen by what is not there
                await end(task)

    async def know(self, status: trace_pb2.DeliveryStatus.ValueType, count: int = 1) -> list[event_pb2.Event]:
        """Store events whose text message ended with this status."""
        events = [builders.event(self.tenant, user_id=f"u{n}", variables=b'{"n":1}') for n in range(count)]
        items: list[Any] = []
        for event in events:
            id_ = builders.delivery_id(event)
            items += [event, builders.routed(event, {id_: QUEUED if status != SKIPPED else SKIPPED})]
            if status != SKIPPED:
                items.append(builders.attempted(event, id_, status))
        await LedgerStore(self.pool, self.pool).write(merge(items))
        return events


@pytest.fixture
async def replays(pool: Pool, connection: Client) -> Replays:
    """The services of one tenant's replays."""
    tenant = new_id()
    await builders.insert_tenant(pool, tenant, unfinished=0)
    store, publisher = ReplayStore(pool, pool), ReplayPublisher(connection)
    runner = ReplayRunner(store, publisher, DeliveryPublisher(connection))
    return Replays(tenant, pool, store, runner, ReplayServicer(store, publisher, runner))


async def test_one_event_again(replays: Replays, streams: Streams) -> None:
    """Each replay is another event with the first one's content, replay_of and no deduplication key."""
    (first,) = await replays.know(SENT)
    answers = [await replays.call("ReplayEvent", event_id=first.id) for _ in range(2)]
    sent = await streams.events()
    assert [event.id for event in sent] == [answer.event_id for answer in answers]
    for event in sent:
        assert event.replay_of == first.id
        assert (event.recipient, event.variables, event.event_type) == (
            first.recipient,
            first.variables,
            first.event_type,
        )
        assert not event.dedupe_key
        assert event.accepted_at_us > first.accepted_at_us
    assert await replays.pool.fetchval("SELECT unfinished FROM ingest.backlog") == 2


async def test_what_was_sent_again_is_answered_so(replays: Replays, streams: Streams, pool: Pool) -> None:
    """An error after publishing is not reported, else the operator would replay the event again."""
    (first,) = await replays.know(DEAD)
    await refuse_short_timeouts(pool, "ingest.dead_letters", "ingest.backlog")
    answer = await replays.call("ReplayEvent", event_id=first.id)
    assert [event.id for event in await streams.events()] == [answer.event_id]


async def test_what_cannot_be_replayed_is_told(replays: Replays, streams: Streams) -> None:
    """Refused: an unknown event, deleted content, an inactive tenant, a channel that the caller did not request."""
    (first,) = await replays.know(SENT)
    narrow = builders.event(replays.tenant, channels=[SMS])
    await LedgerStore(replays.pool, replays.pool).write(merge([narrow]))
    cases = [(new_id(), Code.NOT_FOUND, []), ("x", Code.INVALID, []), (narrow.id, Code.INVALID, [EMAIL])]
    for event_id, code, channels in cases:
        await _refused(replays, code, event_id=event_id, channels=channels)
    await replays.pool.execute("DELETE FROM ingest.event_payloads")
    await _refused(replays, Code.CONFLICT, event_id=first.id)
    await replays.pool.execute("UPDATE ingest.tenants SET active = false")
    await _refused(replays, Code.CONFLICT, event_id=first.id)
    assert await streams.events() == []


async def test_the_time_of_acceptance_decides(replays: Replays, streams: Streams) -> None:
    """Ids are made before: one that was accepted at since is replayed, however old its id is; one at until is not."""
    events = [builders.event(replays.tenant, user_id=f"u{n}", variables=b'{"n":1}') for n in range(5)]
    for event, seconds in zip(events, (0, 0, 0.005, 3600, 4 * 3600), strict=True):
        builders.made_before(event, seconds)
        decided = builders.routed(event, {builders.delivery_id(event): QUEUED})
        sent = builders.attempted(event, builders.delivery_id(event), SENT)
        await LedgerStore(replays.pool, replays.pool).write(merge([event, decided, sent]))
    since, until = events[2].accepted_at_us, events[4].accepted_at_us
    async with replays.running():
        ended = await replays.ended(await replays.begin(since_us=since, until_us=until))
    assert sorted(event.replay_of for event in await streams.events()) == sorted(event.id for event in events[2:4])
    assert (ended.replayed, ended.since_us) == (2, since)


async def _refused(replays: Replays, code: Code, **fields: Any) -> None:
    with pytest.raises(ClarionError) as refusal:
        await replays.call("ReplayEvent", **fields)
    assert refusal.value.code is code


async def test_everything_since_a_time(replays: Replays, streams: Streams) -> None:
    """Pages hold each event of the time once; the progress reaches the end."""
    events = await replays.know(SENT, 2 * PAGE + 20)
    since = events[7]
    replay = await replays.begin(since_us=_ms(since) * 1000)
    assert replay.state == RUNNING
    async with replays.running():
        ended = await replays.ended(replay)
    wanted = {event.id for event in events if _ms(event) >= _ms(since)}
    sent = [event.replay_of for event in await streams.events()]
    assert sorted(sent) == sorted(wanted)
    assert (ended.state, ended.replayed, ended.unplayable) == (DONE, len(wanted), 0)
    assert ended.finished_at_us
    assert ended.position_us >= _ms(events[-1]) * 1000


async def test_only_what_ended_so_and_only_on_that_channel(replays: Replays, streams: Streams) -> None:
    """A dead text message is sent again without its mail, which arrived; its dead letter no longer waits."""
    await replays.know(SENT)
    (dead,) = await replays.know(DEAD)
    mail = builders.attempted(dead, new_id(), SENT)
    mail.attempted.channel = EMAIL
    await LedgerStore(replays.pool, replays.pool).write(merge([mail]))
    async with replays.running():
        ended = await replays.ended(await replays.begin(status=DEAD))
    (sent,) = await streams.events()
    assert (sent.replay_of, list(sent.channels)) == (dead.id, [SMS])
    assert ended.replayed == 1
    assert await replays.pool.fetchval("SELECT count(*) FROM ingest.dead_letters WHERE replayed_at IS NULL") == 0


async def test_what_was_sent_again_is_not_sent_a_third_time(replays: Replays, streams: Streams) -> None:
    """From then on the replay counts instead of the first event: it is replayed only if it dies too."""
    (dead,) = await replays.know(DEAD)
    async with replays.running():
        await replays.ended(await replays.begin(status=DEAD))
        (second,) = await streams.events()
        id_ = builders.delivery_id(second)
        store = LedgerStore(replays.pool, replays.pool)
        await store.write(
            merge([second, builders.routed(second, {id_: QUEUED}), builders.attempted(second, id_, SENT)])
        )
        assert (await replays.ended(await replays.begin(status=DEAD))).replayed == 0
        again_dead = builders.attempted(second, id_, DEAD, 2, replay=1)
        await store.write(merge([again_dead]))
        assert (await replays.ended(await replays.begin(status=DEAD))).replayed == 1
    assert [event.replay_of for event in await streams.events()] == [dead.id, second.id]


async def test_skipped_ones_and_those_that_nothing_was_planned_for(replays: Replays, streams: Streams) -> None:
    """Skipped for want of a template or provider: replayed. Not requested: not replayed."""
    (skipped,) = await replays.know(SKIPPED)
    (unasked,) = await replays.know(SKIPPED)
    reasons = {skipped.id: "no_provider", unasked.id: "not_requested"}
    for event_id, reason in reasons.items():
        await replays.pool.execute("UPDATE ingest.deliveries SET reason = $2 WHERE event_id = $1", event_id, reason)
    planless = builders.event(replays.tenant)
    store = LedgerStore(replays.pool, replays.pool)
    await store.write(merge([planless, builders.routed(planless, {})]))
    async with replays.running():
        await replays.ended(await replays.begin(status=SKIPPED))
    sent = {event.replay_of: list(event.channels) for event in await streams.events()}
    assert sent == {skipped.id: [SMS], planless.id: []}


async def test_a_page_that_was_cut_off_is_sent_once(replays: Replays, streams: Streams) -> None:
    """A page that was published and not committed runs again, here and in another process: each event is sent once."""
    events = await replays.know(SENT, PAGE)
    replay = await replays.begin()

    class Crash(Exception):
        """The process dies."""

    original = replays.store.claimed

    async def crash(*_: Any, **__: Any) -> bool:
        raise Crash

    async with original() as claim:
        assert claim is not None
        claim.advance = crash  # type: ignore[method-assign]
        with pytest.raises(Crash):
            await replays.runner._page(claim)
    assert await streams.count("EVENTS") == PAGE
    async with replays.running():
        ended = await replays.ended(replay)
    assert ended.replayed == PAGE
    assert sorted(event.replay_of for event in await streams.events()) == sorted(event.id for event in events)


async def test_it_survives_a_restart_and_keeps_to_its_pace(replays: Replays, connection: Client) -> None:
    """Two runners one after the other; of 120 events at 100 a second the first 100 take a second of its time."""
    await replays.know(SENT, 120)
    replay = await replays.begin(per_second=100)
    async with replays.running():
        await eventually(lambda: _replayed(replays, replay), 30)
    other = ReplayRunner(
        ReplayStore(replays.pool, replays.pool), ReplayPublisher(connection), DeliveryPublisher(connection)
    )
    replays.runner = other
    async with replays.running():
        ended = await replays.ended(replay)
    assert (ended.state, ended.replayed) == (DONE, 120)
    pages = """
        SELECT next_at >= created_at + interval '1.2 seconds' AND finished_at >= created_at + interval '1 second'
        FROM ingest.replays
    """
    assert await replays.pool.fetchval(pages)


async def _replayed(replays: Replays, replay: replays_pb2.Replay) -> int:
    found: int = (await replays.call("GetReplay", replay_id=replay.id)).replay.replayed
    return found


async def test_it_can_be_cancelled(replays: Replays, streams: Streams) -> None:
    """Sent events stay sent, and another replay may run. Two at a time, or cancelling an ended one, are conflicts."""
    await replays.know(SENT, 3 * PAGE)
    replay = await replays.begin(per_second=1)
    with pytest.raises(ClarionError) as refusal:
        await replays.begin()
    assert refusal.value.code is Code.CONFLICT
    async with replays.running():
        await eventually(lambda: _replayed(replays, replay), 30)
        cancelled = (await replays.call("CancelReplay", replay_id=replay.id)).replay
    assert (cancelled.state, cancelled.replayed) == (CANCELLED, PAGE)
    with pytest.raises(ClarionError) as refusal:
        await replays.call("CancelReplay", replay_id=replay.id)
    assert refusal.value.code is Code.CONFLICT
    assert await streams.count("EVENTS") == PAGE
    second = await replays.begin(status=DEAD)
    listed = (await replays.call("ListReplays", tenant_id=replays.tenant, limit=1)).replays
    assert [found.id for found in listed] == [second.id]


async def test_live_traffic_has_the_right_of_way(replays: Replays, streams: Streams) -> None:
    """A replay waits and says so while more than half of the tenant's quota is unfinished."""
    await replays.know(SENT, 3)
    await replays.pool.execute("UPDATE ingest.backlog SET unfinished = 50001")
    replay = await replays.begin()

    async def waits() -> bool:
        return bool((await replays.call("GetReplay", replay_id=replay.id)).replay.waiting == "backlog")

    async with replays.running():
        await eventually(waits, 30)
        assert await streams.count("EVENTS") == 0
        await replays.pool.execute("UPDATE ingest.backlog SET unfinished = 0")
        assert (await replays.ended(replay)).replayed == 3


async def test_since_before_1970(replays: Replays, streams: Streams) -> None:
    """From such a time everything is replayed, up to such a time nothing; the time is shown as given."""
    events = await replays.know(SENT, 3)
    moon_us = -14_182_940_000_000  # 1969-07-20T20:17:40Z
    nothing = await replays.begin(since_us=moon_us, until_us=moon_us + 1)
    async with replays.running():
        assert (await replays.ended(nothing)).replayed == 0
        replay = await replays.begin(since_us=moon_us)
        ended = await replays.ended(replay)
    assert (ended.since_us, ended.state, ended.replayed) == (moon_us, DONE, 3)
    assert {event.replay_of for event in await streams.events()} == {event.id for event in events}


async def test_nonsense_is_invalid(replays: Replays) -> None:
    """INVALID names the field."""
    now = time.time_ns() // 1000
    cases: list[tuple[str, dict[str, Any]]] = [
        ("since", {"since_us": 0}),
        ("since", {"since_us": now, "until_us": now - 1}),
        ("since", {"since_us": -5, "until_us": -5}),
        ("until", {"until_us": now + 10**9}),
        ("per_second", {"per_second": 1001}),
        ("status", {"status": SENT}),
        ("tenant_id", {"tenant_id": "x"}),
    ]
    for field, fields in cases:
        with pytest.raises(ClarionError) as refusal:
            await replays.begin(**fields)
        assert [name for name, _ in refusal.value.fields] == [field]
    for limit in (-1, 101):
        with pytest.raises(ClarionError, match="limit must be"):
            await replays.call("ListReplays", limit=limit)
    with pytest.raises(ClarionError) as refusal:
        await replays.begin(tenant_id=new_id())
    assert refusal.value.code is Code.NOT_FOUND


def test_ids_of_replayed_events() -> None:
    """A replay always gives an event the same id, other replays other ids, each with its replay's time."""
    one, other, event_id = new_id(), new_id(), new_id()
    assert clone.replayed_id(one, event_id) == clone.replayed_id(one, event_id)
    assert clone.replayed_id(one, event_id) != clone.replayed_id(other, event_id)
    assert clone.replayed_id(one, event_id)[:13] == one[:13]
    assert lowest_id(1_700_000_000_000_000)[:13] == "018bcfe5-6800"


def _ms(event: event_pb2.Event) -> int:
    return int(event.id.replace("-", "")[:12], 16)
