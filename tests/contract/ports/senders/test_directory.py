"""ports.ProviderDirectory, directory.ProviderOwner: tenants and providers as published, and their owner's word.

"fake" is the directory as unit tests make it: fed by hand, its owner in memory. "real" follows the bucket, and its
owner is PostgreSQL.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from runtime.bucket import ConfigurationBucket
from runtime.bucket_keys import BUCKET
from runtime.configuration import ConfigurationWatch
from runtime.encryption import Vault
from runtime.ids import new_id
from runtime.parts import POSTGRES, PartAway
from services.domain import topology
from services.senders.directory import PREFIXES, ConfiguredDirectory
from services.senders.ports import ProviderDirectory, ProviderRecord, TenantProfile
from services.senders.providers import NewProvider
from services.senders.store import ProviderStore, SecretBox
from tests.contract.ports.conftest import Pool
from tests.contract.ports.implementations import either
from tests.fakes.configuration import MemoryWatch
from tests.fakes.senders import MemoryOwner
from tests.integration.outboxes import PatientOutbox
from tests.unit.senders.builders import encryption_key
from tests.waiting import end, eventually


@dataclass
class Subject:
    """An implementation, and the world around it."""

    directory: ProviderDirectory
    # One that the publications have not reached.
    behind: ProviderDirectory
    # Publishes a tenant, None: takes it back; returns when the directory knows.
    tenant: Callable[[str, TenantProfile | None], Awaitable[None]]
    # Makes a sandbox for text messages, by tenant, priority; returns its id when the directory knows.
    create: Callable[[str, int], Awaitable[str]]
    delete: Callable[[str, str], Awaitable[None]]
    go_away: Callable[[], None]


def _fake() -> Subject:
    owner = MemoryOwner()
    directory = ConfiguredDirectory(owner)
    watch = MemoryWatch(directory.on_change)
    priorities: dict[str, int] = {}

    def publish(tenant_id: str) -> None:
        own = [record for (of, _), record in owner.providers.items() if of == tenant_id]
        own.sort(key=lambda record: priorities[record.id])
        values = [msgspec.to_builtins(record) for record in own]
        watch.put(topology.providers_key(tenant_id), json.dumps(values).encode() if values else None)

    async def tenant(tenant_id: str, value: TenantProfile | None) -> None:
        watch.put(topology.tenant_key(tenant_id), value)

    async def create(tenant_id: str, priority: int) -> str:
        record = ProviderRecord(new_id(), "SMS", "sandbox", {"sender": f"S{priority}"}, "c2VjcmV0")
        priorities[record.id] = priority
        owner.providers[tenant_id, record.id] = record
        publish(tenant_id)
        return record.id

    async def delete(tenant_id: str, provider_id: str) -> None:
        del owner.providers[tenant_id, provider_id]
        publish(tenant_id)

    def go_away() -> None:
        owner.away = True

    return Subject(directory, ConfiguredDirectory(owner), tenant, create, delete, go_away)


@pytest.fixture
async def real(pool: Pool, connection: Client) -> AsyncIterator[Subject]:
    """A directory that follows the bucket, with the providers' table behind it."""
    store = ProviderStore(pool, PatientOutbox(pool, "senders", connection), SecretBox(Vault(encryption_key())))
    directory = ConfiguredDirectory(store)
    watch = ConfigurationWatch(connection, PREFIXES, directory.on_change)

    async def tenant(tenant_id: str, value: TenantProfile | None) -> None:
        key = topology.tenant_key(tenant_id)
        if value is not None:
            await ConfigurationBucket(connection).put(key, msgspec.json.encode(value))
        else:
            await (await connection.jetstream().key_value(BUCKET)).delete(key)
        await eventually(lambda: directory.tenant(tenant_id) == value)

    async def create(tenant_id: str, priority: int) -> str:
        settings: dict[str, Any] = {"sender": f"S{priority}"}
        new = NewProvider(new_id(), tenant_id, event_pb2.CHANNEL_SMS, "sandbox", "", priority, settings, {})
        await store.create(new)
        await eventually(lambda: directory.known(tenant_id, new.id))
        return new.id

    async def delete(tenant_id: str, provider_id: str) -> None:
        await store.delete(provider_id)
        await eventually(lambda: directory.known(tenant_id, provider_id) is None)

    following = asyncio.create_task(watch.run())
    try:
        await watch.ready()
        yield Subject(directory, ConfiguredDirectory(store), tenant, create, delete, pool.terminate)
    finally:
        await end(following)


subject = either(_fake)


async def test_a_tenant_is_known_as_published_last(subject: Subject) -> None:
    """None before it is published, and when it was taken back."""
    tenant_id = new_id()
    assert subject.directory.tenant(tenant_id) is None
    for value in (TenantProfile(tenant_id, "Acorn"), TenantProfile(tenant_id, "Oak", max_sms_segments=2), None):
        await subject.tenant(tenant_id, value)
        assert subject.directory.tenant(tenant_id) == value


async def test_providers_are_known_best_first(subject: Subject) -> None:
    """Each by its id, to its own tenant; one that is deleted is gone."""
    one, other = new_id(), new_id()
    second, first = [await subject.create(one, priority) for priority in (2, 1)]
    assert [record.id for record in subject.directory.providers(one)] == [first, second]
    found = await subject.directory.provider(one, first)
    assert found is not None
    assert (found.id, found.channel, found.kind, found.settings) == (first, "SMS", "sandbox", {"sender": "S1"})
    assert await subject.directory.provider(other, first) is None
    assert list(subject.directory.providers(other)) == []
    await subject.delete(one, first)
    assert await subject.directory.provider(one, first) is None
    assert [record.id for record in subject.directory.providers(one)] == [second]


async def test_the_owner_is_asked_before_there_is_none(subject: Subject) -> None:
    """A provider whose publication has not come yet is used all the same, and only by its own tenant."""
    tenant_id = new_id()
    made = await subject.create(tenant_id, 1)
    assert await subject.behind.provider(tenant_id, made) == await subject.directory.provider(tenant_id, made)
    assert await subject.behind.provider(new_id(), made) is None
    assert await subject.behind.provider(tenant_id, new_id()) is None


async def test_an_owner_that_is_away_is_no_word_that_there_is_none(subject: Subject) -> None:
    """PartAway for what is not published; what is, stays known."""
    tenant_id = new_id()
    made = await subject.create(tenant_id, 1)
    subject.go_away()
    assert await subject.directory.provider(tenant_id, made) is not None
    with pytest.raises(PartAway) as away:
        await subject.behind.provider(tenant_id, made)
    assert away.value.part == POSTGRES
