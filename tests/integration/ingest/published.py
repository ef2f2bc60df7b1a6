"""Endpoints in the configuration bucket, as the router publishes them."""

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Any

import msgspec

from runtime.bucket import ConfigurationBucket
from runtime.encryption import Vault
from runtime.ids import new_id
from services.domain import topology
from services.domain.endpoints import Endpoint, SigningSecret, State, Subscriber, secret_context
from tests.integration.ingest.processes import ENCRYPTION_KEY

TYPE = "order.paid"


@dataclass
class Published:
    """What is published of a tenant. live, test: two of its scopes."""

    bucket: ConfigurationBucket
    tenant_id: str
    live: str = field(default_factory=new_id)
    test: str = field(default_factory=new_id)

    async def endpoint(self, scope: str = "", *, key: str = ENCRYPTION_KEY, **fields: Any) -> str:
        """Publish an endpoint; return its id. key: encrypts its secret."""
        endpoint_id, secret_id = new_id(), new_id()
        context = secret_context(self.tenant_id, endpoint_id, secret_id)
        sealed = Vault(key).encrypt(f"whsec_{secrets.token_hex(16)}".encode(), context=context)
        defaults = {"url": "https://hooks.example.com/", "secrets": (SigningSecret(secret_id, sealed),)}
        made = Endpoint(id=endpoint_id, environment_id=scope or self.live, **{**defaults, **fields})
        await self.put(topology.endpoint_key(self.tenant_id, endpoint_id), msgspec.json.encode(made))
        return endpoint_id

    async def subscribe(self, *endpoint_ids: str, event_type: str = TYPE) -> int:
        """Publish that these subscribe, and nobody else; return the revision."""
        listed = [Subscriber(endpoint_id, self.live) for endpoint_id in endpoint_ids]
        return await self.put(topology.subscribers_key(self.tenant_id, event_type), msgspec.json.encode(listed))

    async def state(self, endpoint_id: str, state: State) -> int:
        """Publish how an endpoint is doing."""
        return await self.put(topology.endpoint_state_key(self.tenant_id, endpoint_id), msgspec.json.encode(state))

    async def put(self, key: str, value: bytes) -> int:
        """Write a key; return its revision."""
        await self.bucket.put(key, value)
        return (await self.bucket.newest(key)).revision

    async def put_all(self, values: dict[str, bytes]) -> None:
        """Write many keys at once."""
        await asyncio.gather(*[self.bucket.put(key, value) for key, value in values.items()])
