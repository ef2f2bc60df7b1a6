"""What an erasure leaves in the broker's files: nothing, once they are cleared; and nobody misses a message for it."""

import asyncio
import contextlib
import datetime as dt
import os
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest
from nats.aio.client import Client

from runtime import nats
from runtime.bucket import STREAM, ConfigurationBucket
from runtime.configuration import ConfigurationWatch
from runtime.ids import new_id
from runtime.write_probe import fault_of
from services.domain import topology
from services.ingest.janitor import Janitor
from services.ingest.ledger.record import merge
from services.ingest.ledger.store import LedgerStore
from services.ingest.privacy.clearing import Clearing
from tests.conftest import NatsServer
from tests.integration.ingest import builders
from tests.integration.ingest.builders import QUEUED, SENT
from tests.keyed import KEYED
from tests.streams import Streams
from tests.waiting import end, eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TENANT = new_id()
PERSON = b"ada-whom-nobody-remembers"


@pytest.fixture
def janitor(connection: Client, pool: Pool) -> Janitor:
    """One that keeps nothing for the duplicate window's sake."""
    return Janitor(connection, LedgerStore(pool, pool), keep_s=0)


def _clearing(pool: Pool, connection: Client, janitor: Janitor) -> Clearing:
    return Clearing(pool, connection, janitor.spent, after_s=0, keep_s=0)


async def _erase(pool: Pool, user_id: str = "ada", *, before: str = "1 second") -> str:
    """Note an erasure as ingest does; return its id."""
    add = """
        INSERT INTO ingest.recipient_erasures (id, tenant_id, recipient, erased_at)
        VALUES ($1, $2, $3, now() - $4::text::interval)
    """
    id_ = new_id()
    await pool.execute(add, id_, TENANT, KEYED.erasure(user_id.encode()), before)
    return id_


def _files(server: NatsServer, word: bytes = PERSON) -> list[str]:
    """Return which files of the server hold the word."""
    found = []
    for parent, _, names in os.walk(server.local.store):
        for path in [Path(parent, name) for name in names]:
            with contextlib.suppress(FileNotFoundError):  # just deleted
                if word in path.read_bytes():
                    found.append(str(path))
    return found


async def _ack(connection: Client, consumers: list[topology.Consumer], count: int = 1) -> None:
    jetstream = connection.jetstream()
    for consumer in consumers:
        subscription = await jetstream.pull_subscribe_bind(consumer.name, consumer.stream)
        for message in await subscription.fetch(count, timeout=30):
            await message.ack_sync()
        await subscription.unsubscribe()


def _event_consumers() -> list[topology.Consumer]:
    subject = topology.event_subject(TENANT)
    mine = [one for one in topology.router_consumers() if subject in one.subjects]
    return [*mine, *topology.ledger_consumers()[:1]]


async def test_a_deleted_event_leaves_the_files_and_what_others_need_stays(
    connection: Client, pool: Pool, janitor: Janitor, streams: Streams, nats_server: NatsServer
) -> None:
    """The purge alone leaves it on the disk. What nobody has read yet holds the files until somebody has."""
    await _erase(pool)
    await streams.publish(builders.accepted(builders.event(TENANT, payload_extra=PERSON)))
    waiting = builders.event(TENANT)
    await streams.publish(builders.accepted(waiting))
    await _ack(connection, _event_consumers())
    for _ in range(2):
        await janitor.tidy()
    assert [event.id for event in await streams.events()] == [waiting.id]
    assert _files(nats_server)  # deleted, and still there

    assert not await _clearing(pool, connection, janitor).step()
    assert not await _clearing(pool, connection, janitor).step()
    assert [event.id for event in await streams.events()] == [waiting.id]
    late = builders.event(TENANT)
    await streams.publish(builders.accepted(late))
    await _ack(connection, _event_consumers())
    # Another process goes on with it.
    await eventually(_clearing(pool, connection, janitor).step)
    await eventually(lambda: not _files(nats_server))
    assert [event.id for event in await streams.events()] == [late.id]
    assert await pool.fetchval(
        "SELECT until IS NULL AND cleared_until > now() - interval '1 hour' FROM ingest.clearing"
    )


async def test_fired_timers_leave_the_files_and_waiting_ones_stay(
    connection: Client, pool: Pool, janitor: Janitor, nats_server: NatsServer
) -> None:
    """A timer that waits is never purged: the files go when it has fired."""
    await _erase(pool)
    publisher, now = nats.StreamPublisher(connection), dt.datetime.now(dt.UTC)
    target = topology.due_subject(builders.SMS, TENANT)

    async def set_timer(number: int, delay_s: float, body: bytes) -> str:
        due = now + dt.timedelta(seconds=delay_s)
        headers = {"Nats-Schedule": f"@at {due.strftime('%Y-%m-%dT%H:%M:%SZ')}", "Nats-Schedule-Target": target}
        subject = topology.timer_subject(new_id(), str(number))
        await publisher.publish(nats.Outgoing(subject, body, headers=headers))
        return subject

    await set_timer(0, -1, PERSON)
    waiting = await set_timer(1, 600, b"bob")
    await _ack(connection, [topology.delivery_consumers(builders.SMS)[-1]])
    for _ in range(2):
        await janitor.tidy()
    clearing = _clearing(pool, connection, janitor)
    for _ in range(3):
        assert not await clearing.step()
    assert _files(nats_server)
    jetstream = connection.jetstream()
    info = await jetstream.stream_info(topology.TIMERS, subjects_filter=topology.WAITING_TIMERS)
    assert info.state.subjects == {waiting: 1}
    await jetstream.purge_stream(topology.TIMERS, subject=waiting)  # it is over
    await eventually(clearing.step)
    await eventually(lambda: not _files(nats_server))


async def test_a_deleted_key_leaves_the_bucket_s_files_and_all_others_keep_their_values(
    connection: Client, pool: Pool, janitor: Janitor, nats_server: NatsServer
) -> None:
    """Also the note that a key was deleted is there afterwards, for whoever was away. Nobody is told of a change."""
    bucket = ConfigurationBucket(connection)
    await bucket.put(f"tenants.{TENANT}", PERSON)
    await bucket.put(f"tenants.{TENANT}", b"{}")
    await bucket.put("epochs.t1.YWRh", PERSON)
    await connection.jetstream().purge_stream(STREAM, subject="$KV.CONFIG.epochs.>")
    await bucket.put("keys.gone", b"x")
    gone = await bucket.newest("keys.gone")
    await bucket.replace("keys.gone", None, revision=gone.revision)
    assert await fault_of(connection, topology.probe_subject("CONFIG")) == ""
    assert _files(nats_server)
    before = {key: await bucket.newest(key) for page in [one async for one in bucket.keys("tenants")] for key in page}
    changes: list[str] = []
    watch = ConfigurationWatch(connection, ["tenants", "keys"], lambda key, _: changes.append(key))
    following = asyncio.create_task(watch.run())
    try:
        await watch.ready()
        assert changes.count(f"tenants.{TENANT}") == 1
        await _erase(pool)
        await eventually(_clearing(pool, connection, janitor).step)
        await bucket.put("tenants.last", b"{}")
        await eventually(lambda: watch.get("tenants.last"))
        assert changes.count(f"tenants.{TENANT}") == 1
    finally:
        await end(following)
    await eventually(lambda: not _files(nats_server))
    assert {key: (await bucket.newest(key)).value for key in before} == {key: one.value for key, one in before.items()}
    note = await bucket.newest("keys.gone")
    assert (note.value, note.revision > 0) == (None, True)


async def test_a_note_of_deletion_is_not_written_again_for_ever(connection: Client) -> None:
    """Of keys that come and go with people; those who follow the bucket have had their time with it."""
    bucket = ConfigurationBucket(connection)
    for key in ("revoked.t1.x", "keys.gone"):
        await bucket.put(key, b"1")
        await bucket.replace(key, None, revision=(await bucket.newest(key)).revision)
    for age, is_kept in ((3600.0, True), (0.0, False)):
        last = (await connection.jetstream().stream_info(STREAM)).state.last_seq
        await bucket.rewrite(last + 1, forgotten=("revoked",), older_than_s=age)
        assert ((await bucket.newest("revoked.t1.x")).revision > 0) is is_kept
        assert (await bucket.newest("keys.gone")).revision > 0


async def test_what_an_attempt_told_after_the_erasure_goes_too(
    connection: Client, pool: Pool, janitor: Janitor
) -> None:
    """A provider's words that were on their way; those about others stay."""
    erasure_id = await _erase(pool)
    store = LedgerStore(pool, pool)
    mine, others = builders.event(TENANT, user_id="ada"), builders.event(TENANT, user_id="bob")
    for event in (mine, others):
        id_ = builders.delivery_id(event)
        told = builders.attempted(event, id_, SENT)
        told.attempted.detail = "250 ada@example.org"
        await store.write(merge([event, builders.routed(event, {id_: QUEUED}), told]))
    await pool.execute("UPDATE ingest.events SET user_id = 'erased:' || $2 WHERE id = $1", mine.id, erasure_id)
    await eventually(_clearing(pool, connection, janitor).step)
    rows = await pool.fetch("SELECT event_id, detail FROM ingest.attempts")
    assert {str(row["event_id"]): row["detail"] for row in rows} == {mine.id: "", others.id: "250 ada@example.org"}


async def test_nothing_is_cleared_before_its_time_and_only_once(
    connection: Client, pool: Pool, janitor: Janitor
) -> None:
    """A retry may wait for a quarter of an hour; without an erasure nothing is ever written."""
    due = Clearing(pool, connection, janitor.spent, keep_s=0)
    assert await due.step()
    await _erase(pool, before="19 minutes")
    assert await due.step()
    await _erase(pool, "bob", before="21 minutes")
    assert not await due.step()
    await eventually(due.step)
    assert await due.step()
    # Two hours after an upgrade, once: the version before wrote the names of users there.
    # What was erased meanwhile was cleared before these were removed.
    await pool.execute("UPDATE ingest.clearing SET made_at = now() - interval '125 minutes'")
    await pool.execute("UPDATE ingest.clearing SET cleared_until = now() - interval '21 minutes' - interval '2 hours'")
    assert not await due.step()
    await eventually(due.step)
    assert await due.step()
