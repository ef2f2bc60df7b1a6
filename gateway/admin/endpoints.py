"""A tenant's endpoints: where its webhooks go."""

from typing import Annotated, Any, Literal

import msgspec
import orjson
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType, field

from clarion.router.v1 import endpoints_pb2
from gateway import webhooks
from gateway.access.asker import ASKER
from gateway.access.roles import Role
from gateway.admin import forms
from gateway.clients import Clients
from gateway.observing import EVENT_ID
from gateway.replies import json_reply
from gateway.revisions import Revisions
from runtime.errors import ClarionError

EndpointKind = Literal["webhook", "slack"]
EndpointMode = Literal["push", "ordered", "polled"]

MAX_OVERLAP_S = 7 * 86_400

Url = Annotated[str, Meta(max_length=2048, examples=["https://example.com/webhooks"])]
Description = Annotated[str, Meta(max_length=1000)]
Label = Annotated[str, Meta(max_length=255)]
Labels = Annotated[dict[Label, Label], Meta(max_length=20)]
Headers = Annotated[
    dict[Annotated[str, Meta(max_length=255)], Annotated[str, Meta(max_length=2048)]], Meta(max_length=20)
]
Password = Annotated[str, Meta(max_length=1024)]
Rate = Annotated[int, Meta(ge=0, le=10_000)]
BatchSize = Annotated[int, Meta(ge=1, le=100)]
RetryDelays = Annotated[list[Annotated[int, Meta(ge=1, le=7 * 86_400)]], Meta(max_length=20)]
Secret = Annotated[
    str,
    Meta(
        pattern=r"^(whsec_[A-Za-z0-9+/]{32,86}={0,2})?$",
        description="`whsec_` and 24 to 64 bytes in base64; empty: create a random one",
    ),
]

_encode = msgspec.json.Encoder().encode


class NewEndpointBody(forms.Body):
    """The body of POST /tenants/{id}/endpoints. Without environment_id: in the tenant's default environment."""

    # Where messages are sent; empty for the mode "polled".
    url: Url = ""
    kind: EndpointKind = "webhook"
    mode: EndpointMode = "push"
    environment_id: forms.OptionalId = ""
    application_id: forms.OptionalId = ""
    description: Description = ""
    metadata: Labels = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    # Sent with each message.
    headers: Headers = field(default_factory=dict)
    # Of HTTP basic authentication.
    auth_username: Label = ""
    auth_password: Password = ""
    # Messages a second at most; 0: no limit.
    rate_per_s: Rate = 0
    # Of the mode "ordered".
    batch_size: BatchSize = 1
    # Before the second, third, … attempt; empty: the usual ones.
    retry_delays_s: RetryDelays = field(default_factory=list)
    secret: Secret = ""


class EndpointChangeBody(forms.Body):
    """The body of PATCH /tenants/{id}/endpoints/{endpoint_id}. Absent fields stay as they are."""

    url: Url | UnsetType = UNSET
    mode: EndpointMode | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    metadata: Labels | UnsetType = UNSET
    config: dict[str, Any] | UnsetType = UNSET
    # All headers.
    headers: Headers | UnsetType = UNSET
    auth_username: Label | UnsetType = UNSET
    auth_password: Password | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    rate_per_s: Rate | UnsetType = UNSET
    batch_size: BatchSize | UnsetType = UNSET
    retry_delays_s: RetryDelays | UnsetType = UNSET


class RotationBody(forms.Body):
    """The body of POST …/rotate-secret."""

    secret: Secret = ""
    # How long earlier secrets stay valid, in seconds.
    overlap_s: Annotated[int, Meta(ge=0, le=MAX_OVERLAP_S)] = 86_400


class EndpointTestBody(forms.Body):
    """The body of POST …/test. payload: what is sent; empty: a short message."""

    payload: dict[str, Any] = field(default_factory=dict)


# The fields of the change that UpdateEndpointRequest has under the same name and type.
_PLAIN_FIELDS = ("url", "description", "auth_username", "auth_password", "active", "rate_per_s", "batch_size")


class EndpointRoutes:
    """Handlers that ask the router's EndpointService, always for the tenant in the path."""

    def __init__(self, clients: Clients, revisions: Revisions) -> None:
        self._clients = clients
        self._revisions = revisions

    async def create(self, request: web.Request) -> web.Response:
        """Create an endpoint. Its secret is in this response, and later only in that of reveal()."""
        body = await forms.read(request, NewEndpointBody)
        tenant_id = await forms.path_tenant(request, self._clients)
        wire = endpoints_pb2.CreateEndpointRequest(
            tenant_id=tenant_id,
            endpoint=endpoints_pb2.Endpoint(
                environment_id=body.environment_id,
                application_id=body.application_id,
                kind=webhooks.KINDS[body.kind],
                mode=webhooks.MODES[body.mode],
                url=body.url,
                description=body.description,
                metadata=body.metadata,
                config=_encode(body.config) if body.config else b"",
                headers=body.headers,
                auth_username=body.auth_username,
                rate_per_s=body.rate_per_s,
                batch_size=body.batch_size,
                retry_delays_s=body.retry_delays_s,
            ),
            auth_password=body.auth_password,
            secret=body.secret,
        )
        try:
            answer = await self._clients.call(self._clients.endpoints.CreateEndpoint, wire)
        except ClarionError as error:
            raise _named(error) from None
        self._revisions.remember(tenant_id, answer.revision)
        return json_reply({**shown(answer.endpoint), "secret": answer.secret or None}, status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """List endpoints in the order of their creation."""
        wire = endpoints_pb2.ListEndpointsRequest(
            tenant_id=await forms.path_tenant(request, self._clients),
            environment_id=forms.uuid(request, "environment_id"),
            application_id=forms.uuid(request, "application_id"),
            event_type_id=forms.uuid(request, "event_type_id"),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.endpoints.ListEndpoints, wire)
        return json_reply(forms.page(request, [_seen(request, one) for one in answer.endpoints], answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return one endpoint."""
        wire = endpoints_pb2.GetEndpointRequest(**await named_endpoint(request, self._clients))
        answer = await self._clients.call(self._clients.endpoints.GetEndpoint, wire)
        return json_reply(_seen(request, answer.endpoint))

    async def change(self, request: web.Request) -> web.Response:
        """Update the fields that the body contains."""
        body = await forms.read(request, EndpointChangeBody)
        wire = endpoints_pb2.UpdateEndpointRequest(**await named_endpoint(request, self._clients))
        for name in _PLAIN_FIELDS:
            if (value := getattr(body, name)) is not UNSET:
                setattr(wire, name, value)
        if body.mode is not UNSET:
            wire.mode = webhooks.MODES[body.mode]
        if body.metadata is not UNSET:
            wire.metadata.CopyFrom(endpoints_pb2.StringMap(values=body.metadata))
        if body.headers is not UNSET:
            wire.headers.CopyFrom(endpoints_pb2.StringMap(values=body.headers))
        if body.config is not UNSET:
            wire.config = _encode(body.config)
        if body.retry_delays_s is not UNSET:
            wire.retry_delays_s.CopyFrom(endpoints_pb2.Int32List(values=body.retry_delays_s))
        try:
            answer = await self._clients.call(self._clients.endpoints.UpdateEndpoint, wire)
        except ClarionError as error:
            raise _named(error) from None
        self._revisions.remember(wire.tenant_id, answer.revision)
        return json_reply(shown(answer.endpoint))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete an endpoint with its subscriptions. What is under way to it ends as skipped."""
        wire = endpoints_pb2.DeleteEndpointRequest(**await named_endpoint(request, self._clients))
        answer = await self._clients.call(self._clients.endpoints.DeleteEndpoint, wire)
        self._revisions.remember(wire.tenant_id, answer.revision)
        return web.Response(status=204)

    async def rotate_secret(self, request: web.Request) -> web.Response:
        """Add a secret. Messages carry a signature of each valid one."""
        body = await forms.read(request, RotationBody)
        wire = endpoints_pb2.RotateSecretRequest(
            **await named_endpoint(request, self._clients), overlap_s=body.overlap_s, secret=body.secret
        )
        answer = await self._clients.call(self._clients.endpoints.RotateSecret, wire)
        self._revisions.remember(wire.tenant_id, answer.revision)
        return json_reply({**shown(answer.endpoint), "secret": answer.secret or None}, status=201)

    async def reveal_secret(self, request: web.Request) -> web.Response:
        """Return the newest secret. It is a POST, so the audit log has it."""
        wire = endpoints_pb2.RevealSecretRequest(**await named_endpoint(request, self._clients))
        answer = await self._clients.call(self._clients.endpoints.RevealSecret, wire)
        return json_reply({"secret": answer.secret})

    async def test(self, request: web.Request) -> web.Response:
        """Send a test event to the endpoint, the way of every event."""
        body = await forms.read(request, EndpointTestBody)
        names = await named_endpoint(request, self._clients)
        payload = _encode(body.payload) if body.payload else webhooks.TEST_PAYLOAD
        tenant_id, endpoint_id = names["tenant_id"], names["endpoint_id"]
        try:
            sent = await webhooks.send_test(self._clients, self._revisions, tenant_id, endpoint_id, payload)
        except ClarionError as error:
            raise forms.named(error, {"variables": "payload"}) from None
        request[EVENT_ID] = sent.event_id
        return json_reply({"event_id": sent.event_id, "delivery_id": sent.delivery_id}, status=202)


async def named_endpoint(request: web.Request, clients: Clients) -> dict[str, Any]:
    """Return the fields that identify the endpoint in the path. Raises NOT_FOUND if tenant or id cannot exist."""
    endpoint_id = forms.path_uuid(request, "endpoint_id")
    return {"tenant_id": await forms.path_tenant(request, clients), "endpoint_id": endpoint_id}


async def existing_endpoint(request: web.Request, clients: Clients) -> dict[str, Any]:
    """Return the fields that identify the endpoint in the path, for services that do not know which ones exist.

    Raises NOT_FOUND.
    """
    names = await named_endpoint(request, clients)
    await clients.call(clients.endpoints.GetEndpoint, endpoints_pb2.GetEndpointRequest(**names))
    return names


def _seen(request: web.Request, endpoint: endpoints_pb2.Endpoint) -> dict[str, Any]:
    """Return an endpoint for who asks: its URL may hold a password, which viewers do not see."""
    found = shown(endpoint)
    if request[ASKER].in_tenant(endpoint.tenant_id) < Role.DEVELOPER:
        found["url"] = webhooks.without_password(endpoint)
    return found


def shown(endpoint: endpoints_pb2.Endpoint) -> dict[str, Any]:
    """Return an endpoint as the API shows it."""
    return {
        "id": endpoint.id,
        "tenant_id": endpoint.tenant_id,
        "environment_id": endpoint.environment_id,
        "application_id": endpoint.application_id or None,
        "kind": webhooks.KIND_NAMES.get(endpoint.kind, "webhook"),
        "mode": webhooks.MODE_NAMES.get(endpoint.mode, "push"),
        "url": endpoint.url,
        "description": endpoint.description,
        "metadata": dict(endpoint.metadata),
        # Unparsed: orjson could not write all of its numbers.
        "config": orjson.Fragment(endpoint.config or b"{}"),
        "headers": dict(endpoint.headers),
        "auth_username": endpoint.auth_username,
        "active": endpoint.active,
        "disabled_reason": endpoint.disabled_reason or None,
        "disabled_at": forms.iso(endpoint.disabled_at_us),
        "rate_per_s": endpoint.rate_per_s,
        "batch_size": endpoint.batch_size or 1,
        "retry_delays_s": list(endpoint.retry_delays_s),
        "secrets": [
            {
                "last4": secret.last4,
                "created_at": forms.iso(secret.created_at_us),
                "valid_until": forms.iso(secret.valid_until_us),
            }
            for secret in endpoint.secrets
        ],
        "revision": endpoint.revision,
        "created_at": forms.iso(endpoint.created_at_us),
        "updated_at": forms.iso(endpoint.updated_at_us),
    }


def _named(error: ClarionError) -> ClarionError:
    """Return the router's error with the names that the fields have in this API."""
    return forms.named(error, {name: name.removeprefix("endpoint.") for name, _ in error.fields})
