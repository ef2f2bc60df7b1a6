"""Endpoints as the router publishes them, in a copy in memory."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from runtime.encryption import Vault
from runtime.ids import new_id
from services.domain import topology
from services.domain.endpoints import Endpoint, SigningSecret, State, Subscriber, secret_context
from services.ingest.endpoints.directory import EndpointDirectory
from tests.fakes.configuration import MemoryWatch
from tests.fakes.ingest import MemoryEndpointOwner
from tests.unit.senders.builders import encryption_key

MARKER = "complete.router"
TYPE = "order.paid"


@dataclass
class Published:
    """A copy, its owner, and a directory that reads it. live, test: two scopes of the tenant."""

    tenant_id: str = field(default_factory=new_id)
    live: str = field(default_factory=new_id)
    test: str = field(default_factory=new_id)
    copy: MemoryWatch = field(default_factory=MemoryWatch)
    owner: MemoryEndpointOwner = field(default_factory=MemoryEndpointOwner)
    vault: Vault = field(default_factory=lambda: Vault(encryption_key()))

    def __post_init__(self) -> None:
        self.directory = EndpointDirectory(self.copy, self.owner, self.vault, marker=MARKER)
        self.copy.put(MARKER, b"1")

    def endpoint(self, scope: str = "", *, endpoint_id: str = "", vault: Vault | None = None, **fields: Any) -> str:
        """Publish an endpoint with a secret; return its id. vault: encrypts the secret."""
        endpoint_id = endpoint_id or new_id()
        made = endpoint(self.tenant_id, endpoint_id, scope or self.live, vault or self.vault, **fields)
        self.copy.put(topology.endpoint_key(self.tenant_id, endpoint_id), made)
        return endpoint_id

    def subscribe(self, *endpoint_ids: str, scope: str = "", event_type: str = TYPE) -> None:
        """Publish that these subscribe, and nobody else. scope: of all of them."""
        listed = [Subscriber(endpoint_id, scope or self.live) for endpoint_id in endpoint_ids]
        self.copy.put(topology.subscribers_key(self.tenant_id, event_type), listed)

    def state(self, endpoint_id: str, state: State | bytes | None) -> None:
        """Publish how an endpoint is doing."""
        self.copy.put(topology.endpoint_state_key(self.tenant_id, endpoint_id), state)


def endpoint(tenant_id: str, endpoint_id: str, scope: str, vault: Vault, **fields: Any) -> Endpoint:
    """Return an endpoint with a secret."""
    secret_id = new_id()
    sealed = vault.encrypt(
        f"whsec_{secrets.token_hex(16)}".encode(), context=secret_context(tenant_id, endpoint_id, secret_id)
    )
    defaults = {"url": "https://hooks.example.com/", "secrets": (SigningSecret(secret_id, sealed),)}
    return Endpoint(id=endpoint_id, environment_id=scope, **{**defaults, **fields})
