"""Digests of the version before, which had no key, are brought over; with another key nothing starts."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from clarion.router.v1 import suppressions_pb2
from runtime import clock, configuration, postgres
from runtime.bucket import ConfigurationBucket as SharedBucket
from runtime.bucket_keys import key_part
from runtime.errors import ClarionError
from runtime.ids import new_id
from runtime.reconcile import ConfigurationSource, Reconciler
from services.domain import erasures, masking, pseudonym_keys, pseudonyms, suppression_list
from services.domain.digest_migration import DigestMigration, UnkeyedDigests
from services.domain.pseudonyms import Pseudonyms, unkeyed
from services.ingest import configuration_sources as ingest
from services.ingest.privacy import unkeyed_digests as ingest_former
from services.realtime import configuration_sources as realtime
from services.realtime import unkeyed_digests as realtime_former
from services.realtime.principal import Epoch
from services.realtime.store import EpochStore
from services.router import configuration_sources as router
from services.router.suppressions import unkeyed_digests as router_former
from tests.conftest import NatsServer, free_port
from tests.integration.ingest import builders
from tests.integration.ingest.processes import Service, StartService
from tests.integration.outboxes import PatientOutbox
from tests.integration.router.conftest import Bucket, Routed
from tests.keyed import KEY, KEYED
from tests.spawning import spawn
from tests.streams import Streams
from tests.waiting import end, eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TENANT = new_id()
EMAIL, SMS = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS
TYPE = "order.confirmed"


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    """Every owner's."""
    made = await postgres.connect(postgres_url, name="test", size=4)
    yield made
    await made.close()


def _migration(
    pool: Pool,
    connection: Client,
    owner: str,
    sources: tuple[ConfigurationSource, ...],
    unkeyed: UnkeyedDigests,
    keyed: Pseudonyms = KEYED,
) -> DigestMigration:
    outbox = PatientOutbox(pool, owner, connection)
    reconciler = Reconciler(pool, connection, owner, sources)
    return DigestMigration(pool, connection, outbox, reconciler, keyed, owner=owner, unkeyed=unkeyed)


def _of_router(pool: Pool, connection: Client, keyed: Pseudonyms = KEYED) -> DigestMigration:
    return _migration(pool, connection, router.OWNER, router.SOURCES, router_former.unkeyed_digests(pool, keyed), keyed)


async def _as_before(pool: Pool, connection: Client) -> None:
    """Let no router of this version have run."""
    await pool.execute("DELETE FROM router.pseudonym_key")
    await connection.jetstream().purge_stream("KV_CONFIG", subject="$KV.CONFIG.pseudonyms.router.>")


async def _suppress_as_before(pool: Pool, channel: int, address: str, *, lifted: bool = False) -> str:
    """Write a row as the version before did; return its id."""
    digest = hashlib.sha256(f"{TENANT}/{channel}/{address}".encode()).digest()
    add = """
        INSERT INTO router.suppressions
            (id, tenant_id, channel, digest, reason, source, detail, masked, found_at, lifted_at)
        VALUES ($1, $2, $3, $4, $5, 'resend', $6, $7, now(), CASE WHEN $8 THEN now() END)
    """
    id_, masked = new_id(), masking.masked(address)
    await pool.execute(
        add, id_, TENANT, channel, digest, suppression_list.BOUNCED, f"550 <{address}> unknown", masked, lifted
    )
    return id_


async def _reason(streams: Streams, routed: Routed, email: str) -> str:
    event = builders.event(TENANT, email=email, phone="+254712345678")
    await streams.publish(builders.accepted(event))

    async def decided() -> bool:
        return event.id in await routed.records()

    await eventually(decided)
    return (await routed.decisions(event.id))["email"]


async def test_suppressions_of_the_version_before_hold(
    start: StartService, bucket: Bucket, streams: Streams, routed: Routed, pool: Pool, connection: Client
) -> None:
    """More than a batch of them; who was lifted is sent to; nobody's address is needed, and no note keeps one."""
    await bucket.tenant(TENANT)
    await bucket.templates(TENANT, TYPE, EMAIL="v1")
    await _as_before(pool, connection)
    id_ = await _suppress_as_before(pool, EMAIL, "ada@example.org")
    await _suppress_as_before(pool, EMAIL, "bob@example.org", lifted=True)
    await _suppress_as_before(pool, SMS, "+254712345678")
    for number in range(1200):
        await _suppress_as_before(pool, EMAIL, f"user{number}@example.org")
    service = await start("services.router")
    for address, reason in (("ADA@example.org", "suppressed_bounced"), ("bob@example.org", "")):
        assert await _reason(streams, routed, address) == reason
    for address in ("user0@example.org", "user1199@example.org"):
        assert await _reason(streams, routed, address) == "suppressed_bounced"
    request = suppressions_pb2.ListSuppressionsRequest(tenant_id=TENANT, address="ada@example.org")
    [held] = (await service.call("SuppressionService.ListSuppressions", request)).suppressions
    assert (held.id, held.masked, held.detail) == (id_, "a…@example.org", "550 <a…@example.org> unknown")
    # For processes of the version before, as long as they may run.
    assert await pool.fetchval("SELECT count(*) FROM router.suppressions") == 1203
    text = repr([dict(row) for row in await pool.fetch("SELECT * FROM router.suppressed")])
    assert "ada@" not in text
    assert hashlib.sha256(f"{TENANT}/{SMS}/+254712345678".encode()).digest() not in [
        row["digest"] for row in await pool.fetch("SELECT digest FROM router.suppressed")
    ]


async def test_what_a_process_of_the_version_before_writes_meanwhile_is_brought_over(
    pool: Pool, connection: Client
) -> None:
    """Then its rows and its keys in the bucket are removed, without a note of what was there."""
    migration, stored = _of_router(pool, connection), SharedBucket(connection)
    await migration.adopt()
    await _suppress_as_before(pool, EMAIL, "late@example.org")
    await stored.put(f"suppressions.{TENANT}.aa", b"x")
    await migration.remove()
    digest = suppression_list.digest(KEYED, TENANT, EMAIL, "late@example.org")
    assert await pool.fetchval("SELECT digest FROM router.suppressed") == digest
    assert await pool.fetchval("SELECT count(*) FROM router.suppressions") == 0
    assert (await stored.newest(f"suppressions.{TENANT}.aa")).revision == 0


async def test_who_was_lifted_and_is_suppressed_anew_by_the_version_before_stays_suppressed(
    pool: Pool, connection: Client
) -> None:
    """Its row is the same one there; what an operator of this version lifts later stays lifted."""
    migration = _of_router(pool, connection)
    await _suppress_as_before(pool, EMAIL, "ada@example.org", lifted=True)
    await migration.adopt()
    await pool.execute(
        "UPDATE router.suppressions SET id = $1, lifted_at = NULL, found_at = now()", uuid.UUID(new_id())
    )
    copy = router_former.unkeyed_digests(pool, KEYED).copy
    assert await copy() == 1
    assert await pool.fetchval("SELECT lifted_at FROM router.suppressed") is None
    await pool.execute("UPDATE router.suppressed SET lifted_at = now()")
    assert await copy() == 0
    assert await pool.fetchval("SELECT lifted_at FROM router.suppressed") is not None


async def test_a_first_start_that_is_cut_off_has_chosen_the_key(pool: Pool, connection: Client) -> None:
    """Else a second one with another key would copy nothing, for all rows are there, and lose them an hour later."""
    await _as_before(pool, connection)

    async def cut_off() -> int:
        raise OSError("NATS is away")

    async def nothing() -> None:
        return None

    with pytest.raises(OSError, match="away"):
        await _migration(
            pool, connection, router.OWNER, router.SOURCES, UnkeyedDigests(cut_off, nothing, "none")
        ).adopt()
    assert await pool.fetchval("SELECT copied FROM router.pseudonym_key") is False
    with pytest.raises(ClarionError, match="is not the key with which"):
        await _of_router(pool, connection, Pseudonyms(KEY[::-1])).adopt()
    await _of_router(pool, connection).adopt()
    assert await pool.fetchval("SELECT copied FROM router.pseudonym_key") is True


async def test_erasures_of_the_version_before_are_recognised(pool: Pool, connection: Client) -> None:
    """What was accepted before is refused still, and the marker cannot be guessed."""
    await pool.execute(
        "INSERT INTO ingest.erasures VALUES ($1, $2, $3, now())", new_id(), TENANT, unkeyed(TENANT, "ada").hex()
    )
    known = erasures.Erasures(KEYED)
    watch = configuration.ConfigurationWatch(connection, [erasures.PREFIX], known.on_change)
    following = asyncio.create_task(watch.run())
    try:
        former = ingest_former.unkeyed_digests(pool, KEYED)
        migration = _migration(pool, connection, ingest.OWNER, ingest.SOURCES, former)
        await migration.adopt()
        long_ago = clock.now_us() - 3_600_000_000
        await eventually(lambda: known.find(TENANT, "ada", long_ago))
        assert known.find(TENANT, "bob", long_ago) is None
        assert unkeyed(TENANT, "ada").hex() not in "".join(watch.keys(erasures.PREFIX))
        await migration.remove()
        assert await pool.fetchval("SELECT count(*) FROM ingest.erasures") == 0
        assert await pool.fetchval("SELECT count(*) FROM ingest.recipient_erasures") == 1
    finally:
        await end(following)


async def test_revocations_of_the_version_before_hold_without_the_users_names(pool: Pool, connection: Client) -> None:
    """Their epochs go on counting; the bucket's old keys, which name the users, are removed without a note."""
    stored = SharedBucket(connection)
    for user_id, epoch in (("ada", 3), ("", 2)):
        await pool.execute("INSERT INTO realtime.epochs VALUES ($1, $2, $3)", "t1", user_id, epoch)
    key = f"epochs.t1.{key_part('ada')}"
    await stored.put(key, b"3")
    former = realtime_former.unkeyed_digests(pool, KEYED)
    migration = _migration(pool, connection, realtime.OWNER, realtime.SOURCES, former)
    await migration.adopt()
    epochs = EpochStore(pool, PatientOutbox(pool, "realtime", connection))
    ada = KEYED.revocation("t1", "ada")
    assert await epochs.find([("t1", ada), ("t1", KEYED.revocation("t1", "bob"))]) == [Epoch(2, 3), Epoch(2, 0)]
    assert await epochs.raise_epoch("t1", ada) == 4
    # By a process of the version before, after that: its number is not higher, and yet no token of before is good.
    await pool.execute("UPDATE realtime.epochs SET epoch = 4, raised_at = clock_timestamp() WHERE user_id = 'ada'")
    await migration.remove()
    assert await epochs.find([("t1", ada)]) == [Epoch(2, 5)]
    assert await pool.fetchval("SELECT count(*) FROM realtime.epochs") == 0
    assert "'ada'" not in repr([dict(row) for row in await pool.fetch("SELECT * FROM realtime.revocations")])
    assert (await stored.newest(key)).revision == 0


async def test_with_another_key_no_router_starts(
    start: StartService, nats_server: NatsServer, postgres_url: str, tmp_path: Path, connection: Client
) -> None:
    """One sentence and status 1, whether the bucket tells it or only the table."""
    service: Service = await start("services.router")
    service.stop()
    values = {
        **service.variables,
        "CLARION_GRPC_ADDRESS": f"127.0.0.1:{free_port()}",
        "CLARION_PSEUDONYM_KEY": KEY[::-1],
    }
    for number in range(2):
        log = tmp_path / f"refused-{number}.log"
        process = spawn("services.router", values, log)
        try:
            assert await asyncio.to_thread(process.wait, 60) == 1
        finally:
            process.kill()
        assert "router cannot start: CLARION_PSEUDONYM_KEY is not the key with which" in log.read_text()
        await connection.jetstream().purge_stream("KV_CONFIG", subject="$KV.CONFIG.pseudonyms.>")
        await configuration.mark_complete(connection, ["ingest", "render", "router"])


async def test_nobody_sends_before_the_suppressions_are_keyed(pool: Pool, connection: Client) -> None:
    """An owner's fingerprint comes last; who follows its digests waits for it, and refuses another key."""
    await _as_before(pool, connection)
    watch = configuration.ConfigurationWatch(connection, [pseudonyms.PREFIX])
    following = asyncio.create_task(watch.run())
    try:
        await watch.ready()
        waiting = asyncio.create_task(pseudonym_keys.recognise(watch, KEYED, "ingest", "router"))
        other = asyncio.create_task(pseudonym_keys.recognise(watch, Pseudonyms(KEY[::-1]), "router"))
        await Reconciler(pool, connection, router.OWNER, router.SOURCES).rebuild()
        assert not waiting.done()
        await _of_router(pool, connection).adopt()
        await asyncio.wait_for(waiting, 30)
        with pytest.raises(Exception, match="Set the former key"):
            await asyncio.wait_for(other, 30)
    finally:
        await end(following)
