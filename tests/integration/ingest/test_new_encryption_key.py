"""After a new encryption key the webhook secrets are closed anew, so that the old key can be taken away."""

import os
from base64 import b64encode
from typing import TypeAlias

import asyncpg
import msgspec
from nats.aio.client import Client

from clarion.ingest.v1 import tenants_pb2
from runtime.bucket_keys import BUCKET
from runtime.encryption import Vault
from services.domain import topology
from services.ingest.tenants.secrets import SealedSecret
from services.ingest.tenants.store import TenantStore
from tests.integration.outboxes import PatientOutbox

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


def _key() -> str:
    return b64encode(os.urandom(32)).decode()


async def test_webhook_secrets_are_closed_anew(pool: Pool, connection: Client) -> None:
    """Each once, those still valid beside the current one too, and published so; what no key opens is named."""
    first, second, foreign = _key(), _key(), _key()

    def store(*keys: str) -> TenantStore:
        return TenantStore(pool, PatientOutbox(pool, "ingest", connection), Vault(*keys))

    tenant, _ = await store(first).create(tenants_pb2.CreateTenantRequest(name="Acorn"))
    lost, _ = await store(first).create(tenants_pb2.CreateTenantRequest(name="Lost"))
    for secret in ("the-one-before-12", "the-current-one-34"):
        await store(first).rotate_webhook_secret(tenant.id, secret, 3600)
    await store(foreign).rotate_webhook_secret(lost.id, "", 0)

    assert await store(second, first).renew_webhook_secrets() == (2, [lost.id])
    assert await store(second, first).renew_webhook_secrets() == (0, [lost.id])
    entry = await (await connection.jetstream().key_value(BUCKET)).get(topology.tenant_key(tenant.id))
    published = msgspec.json.decode(entry.value or b"")["webhook_secrets"]
    opened = [msgspec.convert(one, SealedSecret).open(Vault(second), tenant.id) for one in published]
    assert opened == ["the-current-one-34", "the-one-before-12"]
