"""ports.TenantSettingsSource: a tenant's settings as they are; the defaults where nobody can be asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import msgspec
import pytest
from nats.aio.client import Client

from runtime.bucket import ConfigurationBucket
from runtime.configuration import ConfigurationWatch
from runtime.encryption import Vault
from runtime.ids import new_id
from services.domain import topology
from services.ingest.ports import KEY_SCOPE, ContentKey, LimitKind, Rate, TenantSettings, TenantSettingsSource
from services.ingest.tenant_settings import TenantSettingsCache
from services.ingest.tenants.store import TenantStore
from tests.contract.ports.conftest import Pool
from tests.contract.ports.implementations import either
from tests.fakes.ingest import MemoryTenants
from tests.integration.outboxes import PatientOutbox
from tests.unit.senders.builders import encryption_key
from tests.waiting import end, eventually

_RATES = (Rate(3600, 5, LimitKind.FIXED, "eu"), Rate(1, 2))
_KEY_RATES = (Rate(60, 3, LimitKind.SLIDING, KEY_SCOPE + "k"),)
_SETTINGS = TenantSettings("Acme", 7, 8, 9, 10, ContentKey.PAYLOAD, 11, _RATES, _KEY_RATES, 2000)


@dataclass
class Subject:
    """An implementation, and the world around it."""

    tenants: TenantSettingsSource
    publish: Callable[[str, TenantSettings], Awaitable[None]]
    go_away: Callable[[], None]


@pytest.fixture
async def real(connection: Client, pool: Pool) -> AsyncIterator[Subject]:
    """The watched copy, with the database behind it."""
    watch = ConfigurationWatch(connection, ["tenants"])
    tenants = TenantSettingsCache(
        watch, TenantStore(pool, PatientOutbox(pool, "ingest", connection), Vault(encryption_key()))
    )

    async def publish(tenant_id: str, settings: TenantSettings) -> None:
        key = topology.tenant_key(tenant_id)
        await ConfigurationBucket(connection).put(key, msgspec.json.encode(settings))
        await eventually(lambda: watch.get(key))

    task = asyncio.create_task(watch.run())
    try:
        await watch.ready()
        yield Subject(tenants, publish, pool.terminate)
    finally:
        await end(task)


def _fake() -> Subject:
    tenants = MemoryTenants()

    async def publish(tenant_id: str, settings: TenantSettings) -> None:
        tenants.known[tenant_id] = settings

    return Subject(tenants, publish, lambda: None)


subject = either(_fake)


async def test_settings_are_those_that_were_published_last(subject: Subject) -> None:
    """Each tenant's own."""
    one, other = new_id(), new_id()
    await subject.publish(one, _SETTINGS)
    assert await subject.tenants.settings(one) == _SETTINGS
    assert subject.tenants.cached_or_default(one) == _SETTINGS
    assert subject.tenants.cached_or_default(other) == TenantSettings()
    await subject.publish(other, TenantSettings(daily_cap=1))
    assert [await subject.tenants.settings(id_) for id_ in (one, other)] == [_SETTINGS, TenantSettings(daily_cap=1)]


async def test_an_unknown_tenant_has_the_defaults(subject: Subject) -> None:
    """With the database there and away; one that is known stays known."""
    known = new_id()
    await subject.publish(known, _SETTINGS)
    assert await subject.tenants.settings(new_id()) == TenantSettings()
    subject.go_away()
    assert await subject.tenants.settings(new_id()) == TenantSettings()
    assert await subject.tenants.settings(known) == _SETTINGS
