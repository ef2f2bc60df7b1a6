"""Configuration on its way from its owner to everybody, on real PostgreSQL and NATS."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from runtime import configuration, postgres
from runtime.bucket import STREAM, ConfigurationBucket
from runtime.bucket_keys import BUCKET
from runtime.configuration import ConfigurationOutbox, ConfigurationWatch
from tests.conftest import NatsServer
from tests.integration.outboxes import PatientOutbox
from tests.waiting import end, eventually


@pytest.fixture
async def pool(postgres_url: str) -> "AsyncIterator[asyncpg.Pool[asyncpg.Record]]":
    """An owner's."""
    made = await postgres.connect(postgres_url, name="test", size=4)
    yield made
    await made.close()


@contextlib.asynccontextmanager
async def _following(watch: ConfigurationWatch) -> AsyncIterator[None]:
    task = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        await end(task)


async def _add(pool: "asyncpg.Pool[asyncpg.Record]", outbox: ConfigurationOutbox, **changes: bytes | None) -> str:
    """Commit changes of keys "tenants.…", in this order; return the last key."""
    keyed = [(f"tenants.{name}", value) for name, value in changes.items()]
    async with pool.acquire() as database, database.transaction():
        await outbox.add_all(database, keyed)
    return keyed[-1][0]


async def test_an_outbox_outlives_a_database_that_says_no(connection: Client, postgres_url: str) -> None:
    """A refusal that is no lost connection, of a table that is not there for a while, ends nothing and loses nothing.

    What a flush raised would end the process: its outbox runs as long as the process does.
    """
    pool = await postgres.connect(postgres_url, name="test", size=2)
    outbox = ConfigurationOutbox(pool, "ingest", connection)
    try:
        async with pool.acquire() as database, database.transaction():
            await outbox.add(database, "tenants.one", b"{}")
        await pool.execute("ALTER TABLE ingest.config_outbox RENAME TO gone")
        await outbox.flush(deadline=30)
        await pool.execute("ALTER TABLE ingest.gone RENAME TO config_outbox")
        await outbox.flush(deadline=30)
        bucket = await connection.jetstream().key_value(BUCKET)
        assert (await bucket.get("tenants.one")).value == b"{}"
        assert await pool.fetchval("SELECT count(*) FROM ingest.config_outbox") == 0
    finally:
        await pool.close()


async def test_publishing_answers_the_newest_revision_of_a_change(
    pool: "asyncpg.Pool[asyncpg.Record]", connection: Client
) -> None:
    """Its last key's, also when another process has published the change, and when that key was deleted."""
    one, two = PatientOutbox(pool, "ingest", connection), PatientOutbox(pool, "ingest", connection)
    bucket = ConfigurationBucket(connection)
    last = await _add(pool, one, a=b"1", b=b"2")
    await two.flush()
    assert await one.publish(last) == (await bucket.newest("tenants.b")).revision
    assert (await bucket.newest("tenants.b")).revision > (await bucket.newest("tenants.a")).revision > 0
    gone = await one.publish(await _add(pool, two, a=b"1", b=None))
    entry = await bucket.newest("tenants.b")
    assert (entry.value, entry.revision) == (None, gone)
    assert await one.publish("tenants.never") == 0


async def test_what_was_not_published_has_no_revision(
    pool: "asyncpg.Pool[asyncpg.Record]", connection: Client, nats_server: NatsServer
) -> None:
    """While the broker is away, and while another process is at the outbox: 0, in bounded time."""
    outbox = ConfigurationOutbox(pool, "ingest", connection)
    last = await _add(pool, outbox, a=b"1")
    async with pool.acquire() as database, database.transaction():
        await configuration.lock_outbox(database, "ingest")
        assert await outbox.publish(last, 0.2) == 0
    nats_server.kill()
    assert await outbox.publish(last, 0.2) == 0
    nats_server.start()
    await eventually(lambda: outbox.publish(last))


async def test_an_outbox_publishes_few_bytes_in_one_transaction(
    pool: "asyncpg.Pool[asyncpg.Record]", connection: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was published before the broker went away need not be published again, and nothing is left out."""
    monkeypatch.setattr(configuration, "_BATCH_BYTES", 10)
    sizes = []

    class Watched(PatientOutbox):
        async def _send_some(self, database: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> bool:
            before = await pool.fetchval("SELECT count(*) FROM ingest.config_outbox")
            more = await super()._send_some(database)
            sizes.append(before - await pool.fetchval("SELECT count(*) FROM ingest.config_outbox"))
            return more

    outbox = Watched(pool, "ingest", connection)
    last = await _add(pool, outbox, a=b"1" * 6, b=b"2" * 6, c=b"3" * 30, d=None, e=b"4" * 4)
    assert await outbox.publish(last)
    assert await pool.fetchval("SELECT count(*) FROM ingest.config_outbox") == 0
    found = await ConfigurationBucket(connection).read([f"tenants.{name}" for name in "abcde"])
    assert [len(found[f"tenants.{name}"]) for name in "abce"] == [6, 6, 30, 4]
    assert sizes[:4] == [1, 1, 1, 2]


async def test_an_outbox_does_not_wait_for_each_key(
    pool: "asyncpg.Pool[asyncpg.Record]", connection: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else thousands of keys would hold up everybody's. What was written last is last in the bucket, too."""
    asked: list[str] = []
    request = connection.request

    async def noted(subject: str, *arguments: Any, **options: Any) -> Msg:
        asked.append(subject)
        return await request(subject, *arguments, **options)

    monkeypatch.setattr(connection, "request", noted)
    outbox = PatientOutbox(pool, "ingest", connection)
    keys = [f"tenants.{number}" for number in range(150)]
    changes = [(key, value) for value in (b"1", None, b"3") for key in keys]
    async with pool.acquire() as database, database.transaction():
        await outbox.add_all(database, changes)
    last = await outbox.publish(keys[-1])
    assert not [subject for subject in asked if subject.startswith("$KV.")]
    bucket = ConfigurationBucket(connection)
    found = [await bucket.newest(key) for key in keys]
    assert {one.value for one in found} == {b"3"}
    revisions = [one.revision for one in found]
    assert revisions == sorted(revisions)
    assert revisions[-1] == last


async def test_what_was_not_published_whole_is_published_again(
    pool: "asyncpg.Pool[asyncpg.Record]", connection: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One key of many gets lost on the way: nothing is forgotten."""
    publish = connection.publish

    async def losing(subject: str, *arguments: Any, **options: Any) -> None:
        if not subject.endswith("tenants.b"):
            await publish(subject, *arguments, **options)

    outbox = ConfigurationOutbox(pool, "ingest", connection)
    last = await _add(pool, outbox, a=b"1", b=b"2", c=b"3")
    with monkeypatch.context() as lossy:
        lossy.setattr(connection, "publish", losing)
        assert not await outbox.flush(deadline=0.5)
    assert await pool.fetchval("SELECT count(*) FROM ingest.config_outbox") == 3
    assert await outbox.publish(last, 30)
    found = await ConfigurationBucket(connection).read([f"tenants.{name}" for name in "abc"])
    assert [found[f"tenants.{name}"] for name in "abc"] == [b"1", b"2", b"3"]


async def test_a_watch_tells_when_it_has_reached_a_revision(connection: Client) -> None:
    """At once if it has, after waiting if it comes, and not if it does not come in time."""
    bucket = ConfigurationBucket(connection)
    before = await bucket.put("tenants.before", b"1")
    other = await bucket.put("providers.other", b"1")  # which the watch does not see
    watch = ConfigurationWatch(connection, ["tenants"])
    assert not await watch.reached(before, 0.01)
    async with _following(watch):
        assert await watch.reached(before, 30)
        assert watch.get("tenants.before") == b"1"
        assert await watch.reached(other, 0)  # nothing up to there is missing
        waiting = asyncio.create_task(watch.reached(other + 1, 30))
        await asyncio.sleep(0)
        assert await bucket.put("tenants.new", b"2") == other + 1
        assert await waiting
        assert watch.get("tenants.new") == b"2"
        assert not await watch.reached(other + 2, 0.01)
        gone = await bucket.put("tenants.new", None)
        assert await watch.reached(gone, 30)
        assert watch.get("tenants.new") is None


async def test_a_deletion_whose_marker_is_removed_is_reached_after_a_restart(connection: Client) -> None:
    """Though no message with that revision, or a later one, is left in the bucket."""
    bucket = ConfigurationBucket(connection)
    await bucket.put("tenants.old", b"1")
    gone = await bucket.put("tenants.old", None)
    await bucket.forget_deleted("tenants", older_than_s=-1)
    watch = ConfigurationWatch(connection, ["tenants"])
    async with _following(watch):
        assert await watch.reached(gone, 10)


async def test_a_watch_of_a_bucket_that_was_made_again_counts_from_there(
    connection: Client, nats_server: NatsServer
) -> None:
    """Revisions begin again at 1; those of the old bucket are not taken for reached."""
    bucket = ConfigurationBucket(connection)
    for number in range(20):
        await bucket.put("tenants.old", str(number).encode())
    watch = ConfigurationWatch(connection, ["tenants"])
    async with _following(watch):
        await watch.ready(30)
        jetstream = connection.jetstream(timeout=30)
        config = (await jetstream.stream_info(STREAM)).config
        old = await bucket.put("tenants.old", b"20")
        assert await watch.reached(old, 30)
        await jetstream.delete_stream(STREAM)
        await jetstream.add_stream(config)
        new = await bucket.put("tenants.new", b"1")
        assert new < old
        nats_server.kill()  # a watch notices a lost connection at once, a consumer that is gone after three heartbeats
        nats_server.start()
        await eventually(lambda: watch.get("tenants.new") == b"1")
        assert await watch.reached(new, 30)
        assert not await watch.reached(old, 0.01)
