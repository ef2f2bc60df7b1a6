"""Endpoints and subscriptions as the router publishes them: the form that ingest, router and senders read. Pure.

Endpoints are stored by the router (services/router/endpoints). Their secrets, headers and passwords are published as
ciphertext.
"""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from runtime.encryption import Vault
from runtime.ids import derived_id

# The most endpoints that may subscribe to one type of a tenant.
MAX_SUBSCRIBERS = 5_000
# Of ingest's answer to the largest group of the gateway, 256 events, if each of them is for so many endpoints.
MAX_ANSWER_BYTES = 128 * 1024 * 1024
# The most labels of an event.
MAX_METADATA = 5

# Values of Endpoint.kind and Endpoint.mode.
WEBHOOK, SLACK = "webhook", "slack"
PUSH, ORDERED, POLLED = "push", "ordered", "polled"
# The step of a delivery to an endpoint, of which its id is made: see services.domain.delivery_ids.
STEP = "webhook"
# The types of events that are sent to one endpoint by name: without a type of the caller's, and to test it. Nobody
# subscribes to them.
DIRECT_EVENT, TEST_EVENT = "direct", "endpoint.test"
# Values of State.state.
OPEN, DRAINING = "open", "draining"

SECRET_PREFIX = "whsec_"  # noqa: S105 - not a secret


class SigningSecret(msgspec.Struct, frozen=True, omit_defaults=True):
    """An encrypted secret of an endpoint. until_us: valid until then, Unix microseconds; 0: the newest one."""

    id: str
    ciphertext: bytes
    until_us: int = 0

    def open(self, vault: Vault, tenant_id: str, endpoint_id: str) -> str:
        """Return the secret, "whsec_…". Raises ValueError if no key of the vault decrypts it."""
        return vault.decrypt(self.ciphertext, context=secret_context(tenant_id, endpoint_id, self.id)).decode()


class Endpoint(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A value of topology.endpoint_key. Fields as in clarion.router.v1.Endpoint; secrets: newest first.

    sealed_headers: encrypted JSON object of names and values. sealed_auth: encrypted "user:password" of HTTP basic
    authentication. Both are empty where the endpoint has none.
    """

    id: str
    environment_id: str
    application_id: str = ""
    kind: str = WEBHOOK
    mode: str = PUSH
    url: str = ""
    active: bool = True
    secrets: tuple[SigningSecret, ...] = ()
    sealed_headers: bytes = b""
    sealed_auth: bytes = b""
    config: dict[str, Any] = {}
    rate_per_s: int = 0
    batch_size: int = 1
    retry_delays_s: tuple[int, ...] = ()
    revision: int = 0

    def headers(self, vault: Vault, tenant_id: str) -> dict[str, str]:
        """Return its custom headers. Raises ValueError if no key of the vault decrypts them."""
        if not self.sealed_headers:
            return {}
        found: dict[str, str] = json.loads(
            vault.decrypt(self.sealed_headers, context=headers_context(tenant_id, self.id))
        )
        return found

    def auth(self, vault: Vault, tenant_id: str) -> str:
        """Return "user:password"; empty: none. Raises ValueError if no key of the vault decrypts it."""
        if not self.sealed_auth:
            return ""
        return vault.decrypt(self.sealed_auth, context=auth_context(tenant_id, self.id)).decode()


class Subscriber(msgspec.Struct, frozen=True, omit_defaults=True):
    """An active endpoint that subscribes to a type. filter: a JSON-Logic rule as JSON text; empty: all events."""

    endpoint_id: str
    environment_id: str
    filter: str = ""


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """A value of topology.endpoint_state_key: how an endpoint is doing that is not doing well.

    state: OPEN, DRAINING; empty: deliveries are sent. since_us: when it began. full: as much is parked as may be.
    """

    state: str = ""
    since_us: int = 0
    full: bool = False


decode_endpoint = msgspec.json.Decoder(Endpoint).decode
decode_subscribers = msgspec.json.Decoder(tuple[Subscriber, ...]).decode
decode_state = msgspec.json.Decoder(State).decode


def event_type_id(tenant_id: str, name: str) -> str:
    """Return the id of an event type: it is the same whether the type is stored already or not."""
    return derived_id("event-type", tenant_id, name)


def in_scope(subscribers: Sequence[Subscriber], scope: str) -> list[Subscriber]:
    """Return those that get events of this scope; scope: an environment's id; empty: of all environments."""
    return [one for one in subscribers if not scope or one.environment_id == scope]


def secret_context(tenant_id: str, endpoint_id: str, secret_id: str) -> str:
    """Return the encryption context of a secret."""
    return f"endpoint-secret:{tenant_id}:{endpoint_id}:{secret_id}"


def headers_context(tenant_id: str, endpoint_id: str) -> str:
    """Return the encryption context of an endpoint's headers."""
    return f"endpoint-headers:{tenant_id}:{endpoint_id}"


def auth_context(tenant_id: str, endpoint_id: str) -> str:
    """Return the encryption context of an endpoint's basic authentication."""
    return f"endpoint-auth:{tenant_id}:{endpoint_id}"
