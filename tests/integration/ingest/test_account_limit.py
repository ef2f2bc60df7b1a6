"""Tenants of an account: at most so many."""

import asyncio

import pytest
from nats.aio.client import Client

from clarion.ingest.v1 import tenants_pb2
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from services.ingest.tenants.store import TenantStore
from tests.integration.ingest.ledger import Pool
from tests.integration.outboxes import PatientOutbox
from tests.unit.senders.builders import encryption_key


async def test_an_account_has_so_many_tenants(pool: Pool, connection: Client) -> None:
    """Also if they are created at the same moment; another account has room."""
    store = TenantStore(pool, PatientOutbox(pool, "ingest", connection), Vault(encryption_key()), most=3)
    first, _ = await store.create(tenants_pb2.CreateTenantRequest(name="First"))
    further = tenants_pb2.CreateTenantRequest(name="Further", account_id=first.account_id)
    made = await asyncio.gather(*[store.create(further) for _ in range(4)], return_exceptions=True)
    refused = [one for one in made if isinstance(one, BaseException)]
    assert [one.code for one in refused if isinstance(one, ClarionError)] == [Code.CONFLICT] * 2
    assert len(refused) == 2
    assert "CLARION_TENANTS_PER_ACCOUNT" in str(refused[0])
    await store.create(tenants_pb2.CreateTenantRequest(name="Elsewhere"))
    with pytest.raises(ClarionError) as unknown:
        await store.create(tenants_pb2.CreateTenantRequest(name="x", account_id=first.id))
    assert unknown.value.code is Code.NOT_FOUND
