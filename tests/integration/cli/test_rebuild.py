"""The configuration bucket is a copy: what it loses, `clarion migrate` and each owner rebuild from PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import pytest
from nats.aio.client import Client

from clarion.common.v1 import error_pb2, event_pb2
from clarion.ingest.v1 import tenants_pb2
from clarion.router.v1 import suppressions_pb2
from cli import configuration
from cli.migrate import Settings, migrate
from runtime import clock, postgres
from runtime.bucket import STREAM, ConfigurationBucket
from runtime.configuration import ConfigurationOutbox, ConfigurationWatch, marker_key
from runtime.encryption import Vault
from runtime.ids import new_id
from runtime.reconcile import Reconciler, RowReader
from runtime.settings import Secret
from services.domain import erasures, retention, suppression_list, topology
from services.ingest import configuration_sources as ingest
from services.ingest.keys.api_key import digest_of
from services.ingest.ledger.reader import LedgerReader
from services.ingest.privacy.store import LedgerPrivacyStore
from services.ingest.tenants.store import Changes, TenantStore
from services.realtime.store import EpochStore
from services.render.part_store import PostgresParts
from services.render.parts import LAYOUT, PARTIAL, NewPart, PartLibrary
from services.render.store import PostgresTemplates
from services.render.templates import NewTemplate, TemplateLibrary
from services.router.runs.store import RunStore
from services.router.suppressions.store import SuppressionStore
from services.router.suppressions.suppress import checked
from services.senders.providers import NewProvider
from services.senders.store import ProviderStore, SecretBox
from services.senders.webhooks.parking.breaker import BreakerPolicy, Observation, Seen
from services.senders.webhooks.parking.ports import EndpointKey
from services.senders.webhooks.parking.states import EndpointStates
from tests.integration.outboxes import PatientOutbox
from tests.integration.router.endpoint_world import write_endpoints
from tests.keyed import KEYED
from tests.unit.senders.builders import encryption_key
from tests.waiting import end, eventually

EMAIL, SMS = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS
# Whether somebody waits for an outbox's lock.
_WAITS = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
PREFIXES = [source.prefix for sources in configuration.SOURCES.values() for source in sources]


@dataclass
class Owners:
    """What operators wrote to every owner's tables."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    connection: Client
    tenants: TenantStore
    tenant_id: str
    api_key: str
    old_key: str

    async def bucket(self) -> dict[str, bytes]:
        """Return everything that the bucket holds of the owners."""
        bucket, found = ConfigurationBucket(self.connection), {}
        for prefix in PREFIXES:
            async for keys in bucket.keys(prefix):
                found.update(await bucket.read(keys) if keys else {})
        return found


@pytest.fixture
async def owners(postgres_url: str, connection: Client) -> AsyncIterator[Owners]:
    """Each kind of configuration, written by its owner's own code, with what was changed and deleted since."""
    pool = await postgres.connect(postgres_url, name="test", size=4)
    vault = Vault(encryption_key())
    tenants = TenantStore(pool, PatientOutbox(pool, "ingest", connection), vault)
    rates = [tenants_pb2.Rate(window_s=3600, bound=9, kind=error_pb2.LIMIT_KIND_SLIDING, scope="eu")]
    tenant, old_key = await tenants.create(tenants_pb2.CreateTenantRequest(name="Acorn", rates=rates))
    await tenants.create(tenants_pb2.CreateTenantRequest(name="Birch"))
    await tenants.rotate_webhook_secret(tenant.id, "", 3600)
    await tenants.rotate_webhook_secret(tenant.id, "", 0)  # the first one is over at once
    await tenants.update(tenant.id, Changes(name="Acorn Shop", delivery_channels=[EMAIL, SMS]))
    _, api_key = await tenants.rotate_key(tenant.id)
    await _write_the_rest(pool, connection, vault, tenant.id)
    yield Owners(pool, connection, tenants, tenant.id, api_key, old_key)
    await pool.close()


async def _write_the_rest(
    pool: "asyncpg.Pool[asyncpg.Record]", connection: Client, vault: Vault, tenant_id: str
) -> None:
    def outbox(owner: str) -> ConfigurationOutbox:
        return PatientOutbox(pool, owner, connection)

    privacy = LedgerPrivacyStore(pool, outbox("ingest"), LedgerReader(pool), KEYED)
    await privacy.set_retention(tenant_id, retention.RetentionPolicy(inbox_days=3, discard_content=True))
    await privacy.begin(tenant_id, "ada", clock.now_us())
    epochs = EpochStore(pool, outbox("realtime"))
    for user in ("", "ada", "ada", "Bób/#."):
        await epochs.raise_epoch(tenant_id, KEYED.revocation(tenant_id, user) if user else "")
    suppressions = SuppressionStore(pool, outbox("router"))
    wanted = [
        suppressions_pb2.NewSuppression(
            tenant_id=tenant_id, channel=EMAIL, address=f"user{number}@example.org", reason=reason, source="test"
        )
        for number in range(300)
        for reason in (suppression_list.BOUNCED, suppression_list.MANUAL)[: 1 + number % 2]
    ]
    held = list((await suppressions.suppress(checked(wanted, KEYED))).values())
    await suppressions.lift(held[0].id)
    cancellations = RunStore(pool, outbox("router"))
    for event_id in (new_id(), new_id()):
        await cancellations.cancel(tenant_id, event_id, "operator", clock.now_us())
    await cancellations.publish_cancellations()
    await write_endpoints(pool, connection, tenant_id)
    providers = ProviderStore(pool, outbox("senders"), SecretBox(vault))
    new = NewProvider(new_id(), tenant_id, EMAIL, "smtp", "main", 1, {"host": "a", "b": {"z": 1, "a": 2}}, {"p": "s"})
    for one in (new, replace(new, id=new_id(), name="spare"), replace(new, id=new_id(), tenant_id=new_id())):
        await providers.create(one)
    await providers.delete(one.id)  # a tenant's last one
    states = EndpointStates(pool, outbox("senders"), BreakerPolicy())
    failing = Observation(Seen.FAILED, clock.now_us(), count=BreakerPolicy().failures)
    down, gone = EndpointKey(tenant_id, new_id()), EndpointKey(tenant_id, new_id())
    for key in (down, gone):
        await states.observe(key, failing)
    await states.forget([gone], are_gone=True)
    await states.drain()
    await _write_templates(pool, outbox("render"), tenant_id)


async def _write_templates(pool: "asyncpg.Pool[asyncpg.Record]", outbox: ConfigurationOutbox, tenant_id: str) -> None:
    store, parts = PostgresTemplates(pool, outbox), PostgresParts(pool)
    nobody: Any = None
    for kind, name, body in ((LAYOUT, "l", "<m>{{{content}}}</m>"), (PARTIAL, "z", "Z{{> a}}"), (PARTIAL, "a", "A")):
        await parts.create(new_id(), NewPart(tenant_id, kind, name, body))
    new = NewTemplate(tenant_id, "order/é.confirmed", EMAIL, "Hi", "{{> z}}", "", "pt-BR", "pre", "l", True)
    ids = []
    for version in (new, replace(new, body="{{> a}} {{> z}}"), replace(new, event_type="over"), new):
        source, part_ids = await TemplateLibrary(store, nobody, PartLibrary(parts, nobody)).assemble(version)
        ids.append(new_id())
        await store.create(ids[-1], version, source, part_ids)
    for version_id in ids[:3]:  # the fourth is a draft
        await store.set_active(version_id, active=True)
    await store.set_active(ids[2], active=False)  # an event type's last one
    await store.create_first(new_id(), NewTemplate("", "global.info", SMS, "", "{{text}}"))
    await store.set_default_locale(tenant_id, "pt-BR")
    await store.set_default_locale(new_id(), "")


async def _migrate(postgres_url: str, nats_url: str) -> list[str]:
    said: list[str] = []
    await migrate(Settings(postgres_url=Secret(postgres_url), nats_url=Secret(nats_url)), said.append)
    return said


async def _differences(owners: Owners, postgres_url: str) -> Mapping[str, tuple[int, int, int]]:
    found = await configuration.differences(postgres_url, owners.connection)
    return {owner: (one.missing, one.changed, one.removed) for owner, one in found.items() if one.total}


async def test_what_the_owners_published_is_no_difference(owners: Owners, postgres_url: str, nats_url: str) -> None:
    """Of every kind: what an owner's own code sends is what is compared with, deleted and expired things included."""
    kinds = {key.partition(".")[0] for key in await owners.bucket()}
    assert kinds == {prefix.partition(".")[0] for prefix in PREFIXES}
    assert await _differences(owners, postgres_url) == {}
    assert await _migrate(postgres_url, nats_url) == []


async def test_migrate_refills_an_emptied_bucket(owners: Owners, postgres_url: str, nats_url: str) -> None:
    """Byte for byte, counted by owner; the comparison alone says the same before, and writes nothing."""
    before = await owners.bucket()
    await owners.connection.jetstream(timeout=60).purge_stream(STREAM)
    found = await _differences(owners, postgres_url)
    assert set(found) == set(configuration.SOURCES)
    assert sum(missing for missing, _, _ in found.values()) == len(before)
    assert await owners.bucket() == {}
    said = await _migrate(postgres_url, nats_url)
    assert [line.partition(" examples=")[0] for line in said] == [
        f"configuration_rebuilt owner={owner} missing={missing} changed=0 removed=0"
        for owner, (missing, _, _) in found.items()
    ]
    assert await owners.bucket() == before
    assert await _migrate(postgres_url, nats_url) == []


async def test_migrate_makes_a_deleted_bucket(owners: Owners, postgres_url: str, nats_url: str) -> None:
    """The bucket itself is gone, as after an empty NATS: made, filled, and said to be complete."""
    before = await owners.bucket()
    await owners.connection.jetstream(timeout=60).delete_stream(STREAM)
    said = await _migrate(postgres_url, nats_url)
    assert said[0] == "created stream CONFIG"
    assert await owners.bucket() == before
    bucket = ConfigurationBucket(owners.connection)
    assert all([(await bucket.newest(marker_key(owner))).value for owner in configuration.SOURCES])


async def test_migrate_follows_rows_changed_by_hand(owners: Owners, postgres_url: str, nats_url: str) -> None:
    """A name, a revoked key, a deleted provider, a left-over erasure, an address: each is put right and counted."""
    key = topology.api_key_key(digest_of(owners.api_key).hex())
    await owners.pool.execute("UPDATE ingest.tenants SET name = 'By hand' WHERE id = $1", owners.tenant_id)
    await owners.pool.execute("UPDATE ingest.api_keys SET revoked_at = now() WHERE tenant_id = $1", owners.tenant_id)
    await owners.pool.execute("DELETE FROM ingest.recipient_erasures")
    await owners.pool.execute("DELETE FROM senders.providers")
    digest = suppression_list.digest(KEYED, owners.tenant_id, EMAIL, "user7@example.org")
    shard = topology.suppressions_key(owners.tenant_id, suppression_list.shard(digest))
    others = len((await owners.bucket())[shard]) // 9 - 1
    await owners.pool.execute("UPDATE router.suppressed SET lifted_at = now() WHERE digest = $1", digest)
    bucket = ConfigurationBucket(owners.connection)
    await bucket.put("tenants.nonsense", b"{}")
    await bucket.put(f"erased.{owners.tenant_id}", b"{}")
    await bucket.put(topology.api_key_key(digest_of(owners.old_key).hex()), owners.tenant_id.encode())
    assert (await bucket.newest(key)).value == owners.tenant_id.encode()

    said = [line.partition(" examples=")[0] for line in await _migrate(postgres_url, nats_url)]
    assert said == [
        "configuration_rebuilt owner=ingest missing=0 changed=1 removed=5",
        f"configuration_rebuilt owner=router missing=0 changed={int(others > 0)} removed={int(others == 0)}",
        "configuration_rebuilt owner=senders missing=0 changed=0 removed=1",
    ]
    held = await owners.bucket()
    assert b"By hand" in held[topology.tenant_key(owners.tenant_id)]
    assert key not in held
    assert not [one for one in held if one.startswith((erasures.PREFIX, "providers"))]
    assert suppression_list.find(held.get(shard), digest) == 0
    assert await _migrate(postgres_url, nats_url) == []


async def test_a_rebuild_never_takes_a_change_back(owners: Owners) -> None:
    """A tenant changes just after the rebuild has read its row: the change waits its turn and is what remains."""
    changes: list[asyncio.Task[Any]] = []

    async def change_and_wait(reader: RowReader, keys: Sequence[str]) -> dict[str, bytes]:
        found = await ingest.SOURCES[0].read(reader, keys)
        if len(changes) == 1:  # the second reading is the one whose values are written
            changes.append(asyncio.create_task(owners.tenants.update(owners.tenant_id, Changes(name="Newest"))))

            async def is_sent_or_waits() -> bool:
                return changes[1].done() or await owners.pool.fetchval(_WAITS)

            await eventually(is_sent_or_waits, 60)
        elif not changes:
            changes.append(asyncio.create_task(asyncio.sleep(0)))
        return found

    await owners.connection.jetstream(timeout=60).purge_stream(STREAM, subject="$KV.CONFIG.tenants.>")
    source = replace(ingest.SOURCES[0], read=change_and_wait)
    await Reconciler(owners.pool, owners.connection, ingest.OWNER, [source]).rebuild()
    await asyncio.gather(*changes)
    stored = await ConfigurationBucket(owners.connection).newest(topology.tenant_key(owners.tenant_id))
    assert b'"Newest"' in (stored.value or b"")


async def test_what_the_outbox_still_holds_is_no_difference(owners: Owners, postgres_url: str) -> None:
    """A change that is committed and not yet sent is on its way: a comparison at that time finds nothing."""
    outbox = ConfigurationOutbox(owners.pool, "ingest", owners.connection)
    async with owners.pool.acquire() as database, database.transaction():
        await database.execute("UPDATE ingest.tenants SET name = 'Later' WHERE id = $1", owners.tenant_id)
        await outbox.add(database, topology.tenant_key(owners.tenant_id), b"{}")
    assert await _differences(owners, postgres_url) == {}


async def test_an_owner_refills_a_bucket_that_is_lost_while_it_runs(
    owners: Owners, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks for its mark in the bucket: gone, and everything is compared again without a restart."""
    monkeypatch.setattr("runtime.reconcile._LOOK_S", 0.05)
    running = asyncio.create_task(
        Reconciler(owners.pool, owners.connection, ingest.OWNER, ingest.SOURCES).run(), name="reconciler"
    )
    bucket = ConfigurationBucket(owners.connection)
    try:
        key = topology.tenant_key(owners.tenant_id)
        before = (await bucket.newest(key)).value
        await owners.connection.jetstream(timeout=60).purge_stream(STREAM)

        async def is_back() -> bool:
            return (await bucket.newest(key)).value == before

        await eventually(is_back)
    finally:
        await end(running)


async def test_a_copy_waits_until_the_bucket_is_complete(owners: Owners, postgres_url: str) -> None:
    """After a loss a process would not know who is suppressed or erased: it waits for the owners' marks."""
    await owners.connection.jetstream(timeout=60).purge_stream(STREAM)
    watch = ConfigurationWatch(owners.connection, [erasures.PREFIX])
    following = asyncio.create_task(watch.run())
    try:
        await watch.ready()
        assert watch.keys(erasures.PREFIX) == []
        waiting = asyncio.create_task(watch.complete("ingest", "router"))
        await Reconciler(owners.pool, owners.connection, ingest.OWNER, ingest.SOURCES).rebuild()
        await eventually(lambda: watch.get(marker_key("ingest")))
        assert not waiting.done()
        await configuration.rebuild(postgres_url, owners.connection)
        await asyncio.wait_for(waiting, 60)
        assert len(watch.keys(erasures.PREFIX)) == 1
    finally:
        await end(following)
