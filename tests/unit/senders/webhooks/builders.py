"""Endpoints as the router publishes them, and deliveries to them."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clarion.common.v1 import event_pb2
from runtime.encryption import Vault
from runtime.ids import derived_id, new_id
from services.domain import topology
from services.domain.endpoints import Endpoint, SigningSecret, auth_context, headers_context, secret_context
from services.senders.webhooks.directory import PublishedEndpoints
from tests.fakes.configuration import MemoryWatch
from tests.fakes.webhooks import MemoryEndpointOwner
from tests.unit.senders.builders import TENANT, encryption_key

# Two secrets of 24 and 32 bytes.
SECRET = f"whsec_{base64.b64encode(b'n' * 24).decode()}"
OLD_SECRET = f"whsec_{base64.b64encode(b'o' * 32).decode()}"


def sealed(vault: Vault, secret: str, endpoint_id: str, *, until_us: int = 0, tenant_id: str = TENANT) -> SigningSecret:
    """A secret as it is published."""
    secret_id = new_id()
    ciphertext = vault.encrypt(secret.encode(), context=secret_context(tenant_id, endpoint_id, secret_id))
    return SigningSecret(secret_id, ciphertext, until_us)


def endpoint(
    vault: Vault,
    url: str = "https://hooks.example.org/in",
    *,
    secrets: tuple[SigningSecret, ...] | None = None,
    headers: Mapping[str, str] | None = None,
    auth: str = "",
    tenant_id: str = TENANT,
    **fields: Any,
) -> Endpoint:
    """An endpoint with one secret, as it is published."""
    id_ = str(fields.pop("id", new_id()))
    return Endpoint(
        id=id_,
        environment_id=new_id(),
        url=url,
        secrets=(sealed(vault, SECRET, id_, tenant_id=tenant_id),) if secrets is None else secrets,
        sealed_headers=(
            vault.encrypt(json.dumps(headers).encode(), context=headers_context(tenant_id, id_)) if headers else b""
        ),
        sealed_auth=vault.encrypt(auth.encode(), context=auth_context(tenant_id, id_)) if auth else b"",
        **fields,
    )


def delivery(
    endpoint_id: str, body: bytes = b'{"order":7}', *, event_type: str = "order.paid", tenant_id: str = TENANT
) -> event_pb2.Delivery:
    """A delivery as the router makes it."""
    event_id = new_id()
    return event_pb2.Delivery(
        id=derived_id(event_id, endpoint_id),
        event_id=event_id,
        tenant_id=tenant_id,
        event_type=event_type,
        channel=event_pb2.CHANNEL_WEBHOOK,
        webhook=event_pb2.Webhook(endpoint_id=endpoint_id),
        variables=body,
        attempt=1,
    )


@dataclass
class Published:
    """A directory, and the copy of the bucket that it reads. owner: what the router has."""

    vault: Vault = field(default_factory=lambda: Vault(encryption_key()))
    owner: MemoryEndpointOwner = field(default_factory=MemoryEndpointOwner)
    arrival_s: float = 30.0

    def __post_init__(self) -> None:
        self.watch = MemoryWatch()
        self.directory = PublishedEndpoints(self.watch.get, self.vault, self.owner, arrival_s=self.arrival_s)
        self.watch.follow(self.directory.on_change)

    def put(self, one: Endpoint, *, tenant_id: str = TENANT) -> str:
        """Publish an endpoint; return its id."""
        self.watch.put(topology.endpoint_key(tenant_id, one.id), one)
        return one.id

    def delete(self, endpoint_id: str, *, tenant_id: str = TENANT) -> None:
        """Publish that it is deleted."""
        self.watch.put(topology.endpoint_key(tenant_id, endpoint_id), None)
