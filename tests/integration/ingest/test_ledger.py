"""The ledger on real PostgreSQL and NATS: written in groups in any order, read by operators, replayed."""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import ledger_pb2
from runtime import nats
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import topology
from services.ingest.activity.changes import changed_events
from services.ingest.ledger.consumer import LedgerConsumer
from services.ingest.ledger.reader import LedgerReader
from services.ingest.ledger.record import merge
from services.ingest.ledger.rows import LedgerRows
from services.ingest.ledger.search import EventFinder
from services.ingest.ledger.servicer import LedgerServicer
from services.ingest.ledger.store import LedgerStore
from services.ingest.retries.store import RetryStore
from tests.conftest import PostgresServer
from tests.integration.ingest import builders
from tests.integration.ingest.builders import DEAD, QUEUED, RETRYING, SENT, SKIPPED
from tests.integration.ingest.ledger import CURSORS
from tests.integration.ingest.processes import StartService
from tests.statement_timeouts import refuse_short_timeouts
from tests.streams import Streams
from tests.waiting import end, eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TENANT, OTHER = new_id(), new_id()


@dataclass
class Ledger:
    """Store, consumer and servicer in this process, as ingest wires them."""

    store: LedgerStore
    servicer: LedgerServicer

    async def call(self, method: str, **fields: Any) -> Any:
        """Call "ListEvents" or its like."""
        request = getattr(ledger_pb2, f"{method}Request")(**fields)
        return await getattr(self.servicer, method)(request, None)

    async def events(self, **fields: Any) -> list[str]:
        """Return the ids that a search finds."""
        return [event.id for event in (await self.call("ListEvents", **fields)).events]

    async def finished(self, event_id: str) -> ledger_pb2.GetEventResponse:
        """Wait for an event's end."""

        async def found() -> ledger_pb2.GetEventResponse:
            try:
                answer: ledger_pb2.GetEventResponse = await self.call("GetEvent", event_id=event_id)
            except ClarionError as error:
                raise AssertionError(error.detail) from error
            assert answer.event.finished_at_us
            assert answer.event.accepted_at_us
            return answer

        return await eventually(found)


@pytest.fixture
async def ledger(pool: Pool, connection: Client) -> AsyncIterator[Ledger]:
    """A ledger that reads the streams."""
    store = LedgerStore(pool, pool)
    consumer = LedgerConsumer(connection, store, interval_s=0.02)
    reading = asyncio.create_task(consumer.run())
    yield Ledger(
        store, LedgerServicer(RetryStore(pool, pool), LedgerReader(pool), EventFinder(pool), connection, CURSORS)
    )
    await consumer.drain()
    await asyncio.wait_for(reading, 60)


async def test_a_life_in_the_wrong_order(ledger: Ledger, streams: Streams) -> None:
    """The end is read first and each message twice: the timeline is in order and has each step once."""
    event = builders.event(TENANT)
    sms = builders.delivery_id(event)
    in_vain = builders.attempted(event, sms, RETRYING, 1)
    retried = builders.attempted(event, sms, RETRYING, 1)
    retried.attempted.next_attempt_at_us = retried.at_us + 1_000_000
    sent = builders.attempted(event, sms, SENT, 2)
    routed = builders.routed(event, {sms: QUEUED})
    in_vain.at_us = retried.at_us - 1
    for record in (sent, retried, in_vain, routed):
        for _ in range(2):
            await streams.publish(builders.trace(record))
            await asyncio.sleep(0.03)  # so that most are groups of their own
    await streams.publish(builders.accepted(event))
    answer = await ledger.finished(event.id)
    assert [(step.step, step.attempt) for step in answer.steps] == [
        ("accepted", 0),
        ("routed", 0),
        ("queued", 0),
        ("failed_over", 1),
        ("rendered", 1),
        ("retrying", 1),
        ("rendered", 2),
        ("sent", 2),
    ]
    [delivery] = answer.event.deliveries
    assert (delivery.status, delivery.attempts, delivery.provider) == (SENT, 2, "sandbox")


async def test_what_comes_while_a_group_is_written_waits_for_the_next(
    pool: Pool, connection: Client, streams: Streams
) -> None:
    """Each group has its interval to fill, also right after another: with one without end it is never written."""
    groups: list[LedgerRows] = []
    written = asyncio.Event()

    async def two_in_hand() -> bool:
        stream = connection.jetstream(timeout=60)
        infos = [await stream.consumer_info(one.stream, one.name) for one in topology.ledger_consumers()]
        return sum(info.num_ack_pending or 0 for info in infos) == 2

    class Store(LedgerStore):
        async def write(self, group: LedgerRows) -> None:
            groups.append(group)
            consumer._interval_s = 1_000_000.0
            await streams.publish(builders.accepted(builders.event(TENANT)))
            await eventually(two_in_hand)
            await super().write(group)
            written.set()

    consumer = LedgerConsumer(connection, Store(pool, pool), interval_s=0.01)
    reading = asyncio.create_task(consumer.run())
    await streams.publish(builders.accepted(builders.event(TENANT)))
    await written.wait()
    await streams.publish(builders.accepted(builders.event(TENANT)))
    await eventually(two_in_hand)  # the first one is acknowledged, and the third has come
    assert len(groups) == 1
    await end(reading)


async def test_the_quota_s_count_survives_redeliveries(ledger: Ledger, pool: Pool) -> None:
    """An event releases its quota once, however often its end is read, in one group or in several."""
    await builders.insert_tenant(pool, TENANT, unfinished=10)
    whole, parts = builders.event(TENANT), builders.event(TENANT)
    end = [builders.routed(whole, {builders.delivery_id(whole): SKIPPED})]
    for _ in range(2):
        await ledger.store.write(merge([whole, *end]))
    sms = builders.delivery_id(parts)
    for items in ([parts], [builders.attempted(parts, sms, SENT)], [builders.routed(parts, {sms: QUEUED})]) * 2:
        await ledger.store.write(merge(items))
    assert await pool.fetchval("SELECT unfinished FROM ingest.backlog WHERE tenant_id = $1", TENANT) == 8


async def test_processes_that_finish_each_other_s_events_do_not_wait_for_each_other(ledger: Ledger, pool: Pool) -> None:
    """Each process writes an event and the end of the other one's event: there is no deadlock."""
    await builders.insert_tenant(pool, TENANT, unfinished=32)
    for _ in range(16):
        pair = [builders.event(TENANT) for _ in range(2)]
        ids = [builders.delivery_id(event) for event in pair]
        await ledger.store.write(
            merge(builders.routed(event, {id_: QUEUED}) for event, id_ in zip(pair, ids, strict=True))
        )
        await asyncio.gather(
            ledger.store.write(merge([pair[0], builders.attempted(pair[1], ids[1], SENT)])),
            ledger.store.write(merge([pair[1], builders.attempted(pair[0], ids[0], SENT)])),
        )
    assert await pool.fetchval("SELECT count(*) FROM ingest.events WHERE finished_at IS NOT NULL") == 32
    assert await pool.fetchval("SELECT unfinished FROM ingest.backlog") == 0


async def test_a_repeat_s_row_is_put_right(ledger: Ledger, pool: Pool) -> None:
    """A row of a repeat from before the ledger read the first event is corrected; a younger key stays."""
    event = builders.event(TENANT)
    add = "INSERT INTO ingest.admission (tenant_id, key_hash, event_id, created_at) VALUES ($1, $2, $3, now() + $4)"
    await pool.execute(add, TENANT, event.dedupe_key, new_id(), _hours(1))
    await ledger.store.write(merge([event]))
    row = await pool.fetchrow("SELECT event_id, stored FROM ingest.admission")
    assert row is not None
    assert (str(row["event_id"]), row["stored"]) == (event.id, True)
    later = builders.event(TENANT)
    await pool.execute(add, TENANT, later.dedupe_key, claimed := new_id(), _hours(25))
    await ledger.store.write(merge([later]))
    row = await pool.fetchrow("SELECT event_id, stored FROM ingest.admission WHERE key_hash = $1", later.dedupe_key)
    assert row is not None
    assert (str(row["event_id"]), row["stored"]) == (claimed, False)


async def test_a_repeat_that_differed(ledger: Ledger, pool: Pool) -> None:
    """Read before the event, with it or twice: the first note is on the timeline, and the event finishes as usual."""
    event = builders.event(TENANT)
    first = builders.repeat(event, "second.type")
    later = builders.repeat(event, "third.type", at_us=first.at_us + 1)
    for records in (merge([first]), merge([event, later]), merge([later])):
        await ledger.store.write(records)
    await ledger.store.write(merge([builders.routed(event, {builders.delivery_id(event): SKIPPED})]))
    answer = await ledger.finished(event.id)
    assert answer.event.event_type == event.event_type
    [step] = [step for step in answer.steps if step.step == "repeated"]
    assert step.at_us == first.at_us
    assert "second.type" in step.detail
    assert await ledger.events(tenant_id=TENANT) == [event.id]


async def test_an_event_that_was_sent_again_says_so(ledger: Ledger, pool: Pool) -> None:
    """In lists and alone, once its replay is accepted; those who watch the list are told of both."""
    first, other = builders.event(TENANT), builders.event(TENANT)
    again = builders.event(TENANT, replay_of=first.id)
    await ledger.store.write(merge([first, other]))
    assert not (await ledger.call("GetEvent", event_id=first.id)).event.replayed
    rows = merge([again])
    assert changed_events(rows) == {TENANT: {first.id, again.id}}
    await ledger.store.write(rows)
    listed = (await ledger.call("ListEvents", tenant_id=TENANT)).events
    assert {event.id: event.replayed for event in listed} == {first.id: True, other.id: False, again.id: False}
    assert (await ledger.call("GetEvent", event_id=first.id)).event.replayed


async def test_a_repeat_of_what_retention_deleted(ledger: Ledger, pool: Pool) -> None:
    """It leaves no row that would never be finished."""
    event = builders.event(TENANT)
    builders.age(event, 1.1)
    await ledger.store.write(merge([builders.repeat(event, "second.type")]))
    assert await pool.fetchval("SELECT count(*) FROM ingest.events") == 0


async def test_what_cannot_be_written_spares_the_rest(ledger: Ledger, streams: Streams, connection: Client) -> None:
    """Garbage bytes, invalid ids and texts that PostgreSQL refuses are dropped alone, even of one TRACE message."""
    good = [builders.event(TENANT) for _ in range(20)]
    ends = [builders.routed(event, {builders.delivery_id(event): SKIPPED}) for event in good]
    bad = builders.event(TENANT)
    bad.event_type = "nul\x00"
    nobody = builders.event("not-a-tenant")
    unwritable = builders.attempted(good[0], "not-an-id", SENT)
    subject = topology.event_subject(TENANT)
    await streams.publish(
        nats.Outgoing(subject, b"\xff\xff garbage"),
        nats.Outgoing(subject, b""),
        nats.Outgoing(topology.TRACE_SUBJECT, b"\xff\xff garbage"),
        *[builders.accepted(event) for event in (*good[:10], bad, nobody, *good[10:])],
        builders.trace(*ends[:10], unwritable, *ends[10:]),
    )
    for event in good:
        await ledger.finished(event.id)
    jetstream = connection.jetstream()

    async def all_read() -> bool:
        infos = [await jetstream.consumer_info(stream, "ledger") for stream in (topology.EVENTS, topology.TRACE)]
        return not any(info.num_pending or info.num_ack_pending for info in infos)

    await eventually(all_read)


async def test_postgres_away_and_back(ledger: Ledger, streams: Streams, postgres_server: PostgresServer) -> None:
    """The ledger waits and catches up; its readers receive UNAVAILABLE meanwhile."""
    before, during = builders.event(TENANT), builders.event(TENANT)
    await streams.publish(*builders.whole(before))
    await ledger.finished(before.id)
    postgres_server.kill()
    try:
        await streams.publish(*builders.whole(during))
        with pytest.raises(ClarionError) as refused:
            await ledger.call("GetEvent", event_id=before.id)
        assert refused.value.code is Code.UNAVAILABLE
    finally:
        postgres_server.start()
    await ledger.finished(during.id)


async def test_killed_in_the_middle_of_a_group(
    start: StartService, streams: Streams, pool: Pool, connection: Client
) -> None:
    """Kill -9 of an ingest that writes: after it is back every event, delivery and attempt is there once."""
    await builders.insert_tenant(pool, TENANT, unfinished=2000)
    ingest = await start("services.ingest")
    events = [builders.event(TENANT) for _ in range(2000)]
    messages = [message for event in events for message in builders.whole(event)]
    publishing = asyncio.create_task(streams.publish(*messages[: len(messages) // 2]))
    await eventually(lambda: pool.fetchval("SELECT count(*) FROM ingest.events"), every=0.002)
    ingest.kill()
    await publishing
    await streams.publish(*messages[len(messages) // 2 :])
    await ingest.start()
    unfinished = "SELECT count(*) FROM ingest.events WHERE finished_at IS NOT NULL AND accepted_at IS NOT NULL"
    await eventually(lambda: _equals(pool, unfinished, len(events)), 120)
    for table in ("events", "deliveries", "attempts"):
        assert await pool.fetchval(f"SELECT count(*) FROM ingest.{table}") == len(events)
    assert await pool.fetchval("SELECT unfinished FROM ingest.backlog") == 0


async def test_search(ledger: Ledger, streams: Streams) -> None:
    """Each filter alone and together; only what fits is found."""
    first = builders.event(TENANT, user_id="ada", email="ada@example.org", caller_event_id="c-1")
    second = builders.event(TENANT, event_type="a.b", phone="+254712345678")
    third = builders.event(OTHER, user_id="ada")
    sms = builders.delivery_id(second)
    await streams.publish(
        *[builders.accepted(event) for event in (first, second, third)],
        builders.trace(
            *[builders.routed(event, {builders.delivery_id(event): SKIPPED}) for event in (first, third)],
            builders.routed(second, {sms: QUEUED}),
            builders.attempted(second, sms, SENT),
        ),
    )
    for event in (first, second, third):
        await ledger.finished(event.id)
    found = {
        "tenant": await ledger.events(tenant_id=TENANT),
        "type": await ledger.events(event_type="a.b"),
        "user": await ledger.events(recipient="ada"),
        "email": await ledger.events(recipient="ada@example.org"),
        "phone": await ledger.events(recipient="+254712345678"),
        "status": await ledger.events(status=SENT),
        "since": await ledger.events(since_us=second.accepted_at_us),
        "until": await ledger.events(until_us=second.accepted_at_us),
        "at once": await ledger.events(since_us=second.accepted_at_us, until_us=second.accepted_at_us),
        "since 1969": await ledger.events(since_us=-1),
        "until 1969": await ledger.events(until_us=-1),
        "since the first year": await ledger.events(since_us=-62_135_596_800_000_000),
        "until the last year": await ledger.events(until_us=253_402_300_799_999_999),
        "caller": await ledger.events(event_id="c-1"),
        "own": await ledger.events(event_id=second.id),
        "own, of another tenant": await ledger.events(event_id=second.id, tenant_id=OTHER),
        "both": await ledger.events(tenant_id=OTHER, recipient="ada"),
        "none": await ledger.events(tenant_id=OTHER, status=SENT),
    }
    one, two, three = first.id, second.id, third.id
    assert found == {
        "tenant": [two, one],
        "type": [two],
        "user": [three, one],
        "email": [one],
        "phone": [two],
        "status": [two],
        "since": [three, two],
        "until": [one],
        "at once": [],
        "since 1969": [three, two, one],
        "until 1969": [],
        "since the first year": [three, two, one],
        "until the last year": [three, two, one],
        "caller": [one],
        "own": [two],
        "own, of another tenant": [],
        "both": [three],
        "none": [],
    }


async def test_pages_are_stable(ledger: Ledger) -> None:
    """Pages together are the whole, newest first, though events arrive in between; none is cut short."""
    events = [builders.event(TENANT) for _ in range(130)]
    await ledger.store.write(merge(events))
    wanted = [event.id for event in reversed(events)]
    assert await ledger.events() == wanted[:50]
    assert await ledger.events(limit=100) == wanted[:100]
    seen: list[str] = []
    cursor = ""
    while True:
        page = await ledger.call("ListEvents", tenant_id=TENANT, limit=40, cursor=cursor)
        seen += [event.id for event in page.events]
        cursor = page.next_cursor
        if not cursor:
            break
        await ledger.store.write(merge([builders.event(TENANT)]))
    assert seen == wanted


@pytest.mark.parametrize(
    "fields",
    [
        *({"tenant_id": "x"}, {"cursor": "x"}, {"limit": -1}, {"limit": 101}, {"since_us": -(2**63)}),
        *({"event_type": "a\x00"}, {"since_us": 5, "until_us": 4}, {"since_us": 5, "until_us": -5}),
    ],
)
async def test_a_search_for_nonsense(ledger: Ledger, fields: dict[str, Any]) -> None:
    """The answer is INVALID, not INTERNAL."""
    with pytest.raises(ClarionError) as refused:
        await ledger.call("ListEvents", **fields)
    assert refused.value.code is Code.INVALID


async def test_dead_letters_are_listed_and_replayed_once(ledger: Ledger, streams: Streams) -> None:
    """Newest first, by tenant, in pages; of two replays at once one wins; the delivery goes out as new."""
    events = [builders.event(tenant_id) for tenant_id in (TENANT, OTHER, TENANT)]
    ids = [builders.delivery_id(event) for event in events]
    for event, id_ in zip(events, ids, strict=True):
        routed, dead = builders.routed(event, {id_: QUEUED}), builders.attempted(event, id_, DEAD, 7)
        await ledger.store.write(merge([event, routed, dead]))
    first = await ledger.call("ListDeadLetters", limit=2)
    rest = await ledger.call("ListDeadLetters", limit=2, cursor=first.next_cursor)
    letters = [*first.dead_letters, *rest.dead_letters]
    assert [letter.delivery_id for letter in letters] == ids[::-1]
    assert (letters[0].reason, rest.next_cursor) == ("provider_timeout", "")
    mine = await ledger.call("ListDeadLetters", tenant_id=TENANT)
    assert [letter.delivery_id for letter in mine.dead_letters] == [ids[2], ids[0]]

    calls = [ledger.call("ReplayDeadLetter", delivery_id=ids[0]) for _ in range(3)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, ClarionError)]
    assert [error.code for error in refused] == [Code.NOT_FOUND] * 2
    [again] = [event_pb2.Delivery.FromString(data) for data in await streams.messages(topology.DELIVERIES)]
    assert (again.id, again.replay, again.attempt, again.deferrals) == (ids[0], 1, 1, 0)
    answer = await ledger.call("GetEvent", event_id=events[0].id)
    assert answer.event.deliveries[0].status == QUEUED
    assert [letter.delivery_id for letter in (await ledger.call("ListDeadLetters")).dead_letters] == [ids[2], ids[1]]

    await ledger.store.write(merge([builders.attempted(events[0], ids[0], SENT, replay=1)]))
    answer = await ledger.call("GetEvent", event_id=events[0].id)
    assert answer.event.deliveries[0].status == SENT


async def test_a_death_told_twice_does_not_undo_a_replay(ledger: Ledger) -> None:
    """The second record of an attempt that was made twice comes after the operator's replay: nothing to replay."""
    event = builders.event(TENANT)
    id_ = builders.delivery_id(event)
    await ledger.store.write(merge([event, builders.attempted(event, id_, DEAD, 7)]))
    await ledger.call("ReplayDeadLetter", delivery_id=id_)
    await ledger.store.write(merge([builders.attempted(event, id_, DEAD, 7, at_us=time.time_ns() // 1000)]))
    assert not (await ledger.call("ListDeadLetters")).dead_letters
    dead_again = builders.attempted(event, id_, DEAD, 7, replay=1, at_us=time.time_ns() // 1000)
    await ledger.store.write(merge([dead_again]))
    assert len((await ledger.call("ListDeadLetters")).dead_letters) == 1


async def test_a_replay_without_a_broker_changes_nothing(ledger: Ledger, pool: Pool, connection: Client) -> None:
    """The dead letter stays as it was."""
    event = builders.event(TENANT)
    id_ = builders.delivery_id(event)
    await ledger.store.write(merge([event, builders.attempted(event, id_, DEAD, 7)]))

    async def fail(_: object) -> None:
        raise ClarionError(Code.UNAVAILABLE, "away")

    with pytest.raises(ClarionError):
        await RetryStore(pool, pool).replay(id_, fail)
    assert len((await ledger.call("ListDeadLetters")).dead_letters) == 1
    assert (await ledger.call("GetEvent", event_id=event.id)).event.deliveries[0].status == DEAD


async def test_the_janitor_s_statements_are_given_time(ledger: Ledger, pool: Pool) -> None:
    """Half a minute each, though the pool gives them five seconds, and admission's two."""
    await refuse_short_timeouts(pool, "ingest.events", "ingest.admission", "ingest.backlog")
    await ledger.store.tidy(recount=True)


async def test_states(ledger: Ledger) -> None:
    """In the order of the ids; unknown ones are UNSPECIFIED; more than 500 and malformed ids are INVALID."""
    event = builders.event(TENANT)
    id_ = builders.delivery_id(event)
    await ledger.store.write(merge([builders.attempted(event, id_, RETRYING)]))
    answer = await ledger.call("GetDeliveryStates", delivery_ids=[new_id(), id_])
    assert list(answer.states) == [trace_pb2.DELIVERY_STATUS_UNSPECIFIED, RETRYING]
    for ids in ([new_id()] * 501, ["nonsense"]):
        with pytest.raises(ClarionError) as refused:
            await ledger.call("GetDeliveryStates", delivery_ids=ids)
        assert refused.value.code is Code.INVALID


async def test_states_are_unknown_until_trace_is_read(pool: Pool, streams: Streams, connection: Client) -> None:
    """A ledger that lags never says that a sent delivery was not sent: it answers after it has caught up."""
    event = builders.event(TENANT)
    id_ = builders.delivery_id(event)
    store = LedgerStore(pool, pool)
    ledger = Ledger(
        store, LedgerServicer(RetryStore(pool, pool), LedgerReader(pool), EventFinder(pool), connection, CURSORS)
    )
    await streams.publish(builders.trace(builders.attempted(event, id_, SENT)))
    with pytest.raises(ClarionError) as refused:
        await ledger.call("GetDeliveryStates", delivery_ids=[id_])
    assert refused.value.code is Code.UNAVAILABLE
    consumer = LedgerConsumer(connection, store)
    reading = asyncio.create_task(consumer.run())
    answer = await ledger.call("GetDeliveryStates", delivery_ids=[id_])
    assert list(answer.states) == [SENT]
    await consumer.drain()
    await reading


async def test_a_dead_letter_without_its_body_is_not_replayed(ledger: Ledger, pool: Pool) -> None:
    """Retention deleted the body: the operator receives CONFLICT, and the dead letter stays listed."""
    event = builders.event(TENANT)
    id_ = builders.delivery_id(event)
    died = builders.attempted(event, id_, DEAD)
    died.attempted.dead_letter.body_reference.size = 5000
    await ledger.store.write(merge([event, builders.routed(event, {id_: QUEUED}), died]))
    await pool.execute("DELETE FROM ingest.event_payloads")
    with pytest.raises(ClarionError) as refused:
        await ledger.call("ReplayDeadLetter", delivery_id=id_)
    assert (refused.value.code, "Retention has deleted" in refused.value.detail) == (Code.CONFLICT, True)
    assert (await ledger.call("ListDeadLetters")).dead_letters


def _hours(count: int) -> Any:

    return dt.timedelta(hours=count)


async def _equals(pool: Pool, query: str, wanted: int) -> bool:
    return bool(await pool.fetchval(query) == wanted)
