"""The providers' table and what is published of it, on real PostgreSQL and NATS."""

import asyncio
import json
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.senders.v1 import senders_pb2
from runtime import configuration
from runtime.bucket import ConfigurationBucket
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from services.domain import topology
from services.senders.directory import PREFIXES, ConfiguredDirectory
from services.senders.servicer import ProviderServicer
from services.senders.store import MAX_PROVIDERS, ProviderStore, SecretBox
from tests.conftest import NatsServer
from tests.integration.senders.conftest import Shop
from tests.unit.senders import builders
from tests.unit.senders.builders import TENANT, encryption_key
from tests.waiting import eventually

CONTEXT: Any = None  # the servicers do not look at it
_SECRET = "correct-horse-battery"
_SMTP = {"host": "smtp.example.org", "from_email": "noreply@example.org", "username": "ada", "password": _SECRET}


async def _create(
    shop: Shop,
    channel: event_pb2.Channel.ValueType = event_pb2.CHANNEL_SMS,
    kind: str = "sandbox",
    settings: dict[str, Any] | None = None,
    **fields: Any,
) -> senders_pb2.Provider:
    request = senders_pb2.CreateProviderRequest(
        tenant_id=TENANT, channel=channel, kind=kind, settings_json=json.dumps(settings or {}), **fields
    )
    return (await ProviderServicer(shop.store, builders.guard()).CreateProvider(request, CONTEXT)).provider


async def create_smtp(shop: Shop) -> senders_pb2.Provider:
    """Make a provider with a password."""
    return await _create(shop, event_pb2.CHANNEL_EMAIL, "smtp", _SMTP)


async def published(shop: Shop) -> list[dict[str, Any]]:
    """The tenant's providers as every process sees them."""
    stored = await ConfigurationBucket(shop.connection).newest(topology.providers_key(TENANT))
    records: list[dict[str, Any]] = json.loads(stored.value or b"[]")
    return records


async def dump(shop: Shop) -> str:
    """All that the schema's tables hold, as values and as text."""
    rows = await shop.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'senders'")
    dump = ""
    for row in rows:
        query = f"SELECT one.*, one::text AS whole FROM senders.{row['tablename']} AS one"
        dump += str(await shop.pool.fetch(query))
    return dump


async def test_created_is_published_at_once(shop: Shop) -> None:
    """When the call returns, the configuration is published: best first, with secrets as ciphertext."""
    last = await _create(shop, priority=5, name="last")
    first = await create_smtp(shop)
    records = await published(shop)
    assert [(one["id"], one["channel"], one["kind"]) for one in records] == [
        (first.id, "EMAIL", "smtp"),
        (last.id, "SMS", "sandbox"),
    ]
    assert records[0]["settings"] == {name: value for name, value in _SMTP.items() if name != "password"}
    directory = ConfiguredDirectory(shop.store)
    watch = configuration.ConfigurationWatch(shop.connection, PREFIXES, directory.on_change)
    task = asyncio.ensure_future(watch.run())
    await watch.ready()
    record = directory.known(TENANT, first.id)
    assert record is not None
    assert shop.box.open_record(record) == {"password": _SECRET}
    task.cancel()


async def test_credentials_go_in_and_never_come_out(shop: Shop) -> None:
    """Answers show the end of the secret; neither table nor bucket holds it in any form."""
    made = await create_smtp(shop)
    listed = await ProviderServicer(shop.store, builders.guard()).ListProviders(
        senders_pb2.ListProvidersRequest(tenant_id=TENANT), CONTEXT
    )
    for shown in (made, *listed.providers):
        assert json.loads(shown.settings_json) == {**_SMTP, "password": "…tery"}
    assert list(listed.providers) == [made]
    everything = await dump(shop)
    assert made.id in everything
    for form in (_SECRET, _SECRET.encode().hex()):
        assert form not in everything
        assert form not in json.dumps(await published(shop))


async def test_ciphertext_of_another_provider_is_worthless(shop: Shop) -> None:
    """Secrets that are copied to another row cannot be decrypted; nor can they with another key."""
    made = await create_smtp(shop)
    (record,) = [await shop.store.find(TENANT, made.id)]
    assert record is not None
    ciphertext = await shop.pool.fetchval("SELECT secrets FROM senders.providers WHERE id = $1", made.id)
    with pytest.raises(ValueError, match="no encryption key"):
        shop.box.open("another-id", ciphertext)
    with pytest.raises(ValueError, match="no encryption key"):
        SecretBox(Vault(encryption_key())).open_record(record)


async def test_deleted_is_gone_everywhere(shop: Shop) -> None:
    """From the list, the bucket and the table, with its secrets. A second time: NOT_FOUND."""
    servicer = ProviderServicer(shop.store, builders.guard())
    made = await create_smtp(shop)
    request = senders_pb2.DeleteProviderRequest(provider_id=made.id)
    await servicer.DeleteProvider(request, CONTEXT)
    assert await published(shop) == []
    assert await shop.store.find(TENANT, made.id) is None
    assert await shop.pool.fetchval("SELECT secrets FROM senders.providers WHERE id = $1", made.id) == b""
    for provider_id in (made.id, "", "never"):
        with pytest.raises(ClarionError) as caught:
            await servicer.DeleteProvider(senders_pb2.DeleteProviderRequest(provider_id=provider_id), CONTEXT)
        assert caught.value.code is Code.NOT_FOUND


async def test_resolved_by_channel_and_priority(shop: Shop) -> None:
    """Best first, the older one first among equals; none for a tenant without."""
    servicer = ProviderServicer(shop.store, builders.guard())
    third = await _create(shop, priority=2)
    first = await _create(shop, priority=1)
    second = await _create(shop, priority=1)
    await create_smtp(shop)
    request = senders_pb2.ResolveProvidersRequest(tenant_id=TENANT, channel=event_pb2.CHANNEL_SMS)
    assert list((await servicer.ResolveProviders(request, CONTEXT)).provider_ids) == [first.id, second.id, third.id]
    nobody = senders_pb2.ResolveProvidersRequest(tenant_id="nobody", channel=event_pb2.CHANNEL_SMS)
    assert not (await servicer.ResolveProviders(nobody, CONTEXT)).provider_ids


async def test_a_tenant_has_at_most_so_many(shop: Shop) -> None:
    """Also when they are made at once."""
    results = await asyncio.gather(*[_create(shop) for _ in range(MAX_PROVIDERS + 10)], return_exceptions=True)
    refused = [one for one in results if isinstance(one, ClarionError)]
    assert {one.code for one in refused} == {Code.CONFLICT}
    assert len(refused) == 10
    assert len(await published(shop)) == MAX_PROVIDERS


async def test_found_only_by_its_tenant(shop: Shop) -> None:
    """Another tenant that knows the id gets nothing."""
    made = await _create(shop)
    found, foreign = await asyncio.gather(shop.store.find(TENANT, made.id), shop.store.find("other", made.id))
    assert found is not None
    assert (found.id, foreign) == (made.id, None)


async def test_made_while_nats_is_away(shop: Shop, nats_server: NatsServer) -> None:
    """It is stored, found in the table, and published later."""
    shop.store = ProviderStore(
        shop.pool, configuration.ConfigurationOutbox(shop.pool, "senders", shop.connection), shop.box
    )
    nats_server.kill()
    made = await _create(shop)
    assert await shop.store.find(TENANT, made.id) is not None
    nats_server.start()
    publisher = asyncio.ensure_future(configuration.ConfigurationOutbox(shop.pool, "senders", shop.connection).run())

    async def is_published() -> bool:
        try:
            return [one["id"] for one in await published(shop)] == [made.id]
        except Exception:
            return False

    await eventually(is_published, deadline=60)
    publisher.cancel()
