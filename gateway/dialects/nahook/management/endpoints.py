"""Endpoints of a workspace, or of one of its applications."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import orjson
from aiohttp import web
from msgspec import UNSET, UnsetType

from clarion.router.v1 import catalogs_pb2, endpoints_pb2
from gateway.dialects.nahook import ids
from gateway.dialects.nahook.bodies import Body
from gateway.dialects.nahook.errors import APPLICATION_FULL, ApiError
from gateway.dialects.nahook.management.calls import Call, Route, time
from gateway.replies import json_reply
from runtime.errors import ClarionError, Code

# The list has no pages, so it is read in pages of this size; a tenant has at most 20,000 endpoints.
_PAGE = 100

_KINDS = {
    "webhook": endpoints_pb2.ENDPOINT_KIND_WEBHOOK,
    "slack": endpoints_pb2.ENDPOINT_KIND_SLACK,
}
_TYPES = {kind: name for name, kind in _KINDS.items()}
_encode = msgspec.json.Encoder().encode


class NewEndpointBody(Body, kw_only=True):
    """The body of POST /endpoints. The default environment, if it names none."""

    url: str
    type: Literal["webhook", "slack"] | None = None
    description: str | None = None
    metadata: dict[str, str] | None = None
    config: dict[str, Any] | None = None
    auth_username: str | None = None
    auth_password: str | None = None
    environment_id: str | None = None


class EndpointChangeBody(Body, kw_only=True):
    """The body of PATCH /endpoints/{id}. Absent fields stay as they are."""

    url: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    metadata: dict[str, str] | UnsetType | None = UNSET
    is_active: bool | UnsetType = UNSET


async def list_all(call: Call) -> web.Response:
    """List all endpoints of the workspace."""
    return json_reply(await _all(call))


async def list_of_application(call: Call) -> web.Response:
    """List all endpoints of an application."""
    application_id = await _application_id(call)
    return json_reply(await _all(call, application_id))


async def create(call: Call) -> web.Response:
    """Create an endpoint. Its secret is in this response only."""
    return await _create(call, await call.body(NewEndpointBody))


async def create_in_application(call: Call) -> web.Response:
    """Create an endpoint of an application."""
    body = await call.body(NewEndpointBody)
    application_id = await _application_id(call)
    try:
        return await _create(call, body, application_id)
    except ClarionError as error:
        if error.code is Code.CONFLICT and error.fields:  # the application's limit, not the workspace's
            raise ApiError(403, APPLICATION_FULL, error.detail) from None
        raise


async def get(call: Call) -> web.Response:
    """Return an endpoint."""
    return json_reply(shown(await find(call)))


async def change(call: Call) -> web.Response:
    """Update the fields that the body contains."""
    body = await call.body(EndpointChangeBody)
    wire = endpoints_pb2.UpdateEndpointRequest(tenant_id=call.tenant_id, endpoint_id=_endpoint_id(call))
    if body.url is not UNSET:
        wire.url = body.url
    if body.description is not UNSET:
        wire.description = body.description or ""
    if body.metadata is not UNSET:
        wire.metadata.CopyFrom(endpoints_pb2.StringMap(values=body.metadata or {}))
    if body.is_active is not UNSET:
        wire.active = body.is_active
    answer = await call.ask(call.backend.clients.endpoints.UpdateEndpoint, wire)
    return json_reply(shown(answer.endpoint))


async def delete(call: Call) -> web.Response:
    """Delete an endpoint and its subscriptions."""
    wire = endpoints_pb2.DeleteEndpointRequest(tenant_id=call.tenant_id, endpoint_id=_endpoint_id(call))
    await call.ask(call.backend.clients.endpoints.DeleteEndpoint, wire)
    return web.Response(status=204)


async def rotate_secret(call: Call) -> web.Response:
    """Add a secret. For 24 hours messages also carry a signature of each earlier one."""
    wire = endpoints_pb2.RotateSecretRequest(tenant_id=call.tenant_id, endpoint_id=_endpoint_id(call))
    answer = await call.ask(call.backend.clients.endpoints.RotateSecret, wire)
    return json_reply({**shown(answer.endpoint), "secret": answer.secret})


async def reveal_secret(call: Call) -> web.Response:
    """Return the newest secret. The audit log tells who asked for it."""
    wire = endpoints_pb2.RevealSecretRequest(tenant_id=call.tenant_id, endpoint_id=_endpoint_id(call))
    answer = await call.ask(call.backend.clients.endpoints.RevealSecret, wire)
    return json_reply({"secret": answer.secret})


async def find(call: Call) -> endpoints_pb2.Endpoint:
    """Return the endpoint in the path. Raises NOT_FOUND."""
    wire = endpoints_pb2.GetEndpointRequest(tenant_id=call.tenant_id, endpoint_id=_endpoint_id(call))
    return (await call.ask(call.backend.clients.endpoints.GetEndpoint, wire)).endpoint


def shown(endpoint: endpoints_pb2.Endpoint) -> dict[str, Any]:
    """Return an endpoint as the API shows it, without its secret."""
    return {
        "id": ids.public(ids.ENDPOINT, endpoint.id),
        "url": endpoint.url,
        "description": endpoint.description or None,
        "isActive": endpoint.active,
        "type": _TYPES.get(endpoint.kind, "webhook"),
        # Unparsed: orjson could not write all of its numbers.
        "config": orjson.Fragment(endpoint.config or b"{}"),
        "metadata": dict(endpoint.metadata),
        "createdAt": time(endpoint.created_at_us),
        "updatedAt": time(endpoint.updated_at_us),
    }


async def _create(call: Call, body: NewEndpointBody, application_id: str = "") -> web.Response:
    wire = endpoints_pb2.CreateEndpointRequest(
        tenant_id=call.tenant_id,
        endpoint=endpoints_pb2.Endpoint(
            environment_id=ids.private(ids.ENVIRONMENT, body.environment_id) if body.environment_id else "",
            application_id=application_id,
            kind=_KINDS[body.type or "webhook"],
            url=body.url,
            description=body.description or "",
            metadata=body.metadata or {},
            config=_encode(body.config) if body.config else b"",
            auth_username=body.auth_username or "",
        ),
        auth_password=body.auth_password or "",
    )
    answer = await call.ask(call.backend.clients.endpoints.CreateEndpoint, wire)
    made = shown(answer.endpoint)
    call.made(made["id"])
    secret = {"secret": answer.secret} if answer.secret else {}  # those for Slack have none
    return json_reply({**made, **secret}, status=201)


async def _all(call: Call, application_id: str = "") -> Sequence[dict[str, Any]]:
    """Return all rows. They are made page by page: all of them at once would hold up the loop."""
    found: list[dict[str, Any]] = []
    wire = endpoints_pb2.ListEndpointsRequest(tenant_id=call.tenant_id, application_id=application_id, limit=_PAGE)
    while True:
        answer = await call.ask(call.backend.clients.endpoints.ListEndpoints, wire)
        found += map(shown, answer.endpoints)
        if not answer.next_cursor:
            return found
        wire.cursor = answer.next_cursor


def _endpoint_id(call: Call) -> str:
    return call.id(ids.ENDPOINT, "endpoint_id")


async def _application_id(call: Call) -> str:
    """Return the id of the application in the path. Raises NOT_FOUND if it does not exist."""
    application_id = call.id(ids.APPLICATION, "application_id")
    wire = catalogs_pb2.GetApplicationRequest(tenant_id=call.tenant_id, application_id=application_id)
    await call.ask(call.backend.clients.catalogs.GetApplication, wire)
    return application_id


ROUTES = (
    Route("GET", "/endpoints", list_all),
    Route("POST", "/endpoints", create, "endpoint.created"),
    Route("GET", "/endpoints/{endpoint_id}", get),
    Route("PATCH", "/endpoints/{endpoint_id}", change, "endpoint.updated"),
    Route("DELETE", "/endpoints/{endpoint_id}", delete, "endpoint.deleted"),
    Route("POST", "/endpoints/{endpoint_id}/rotate-secret", rotate_secret, "endpoint.secret_rotated"),
    Route("POST", "/endpoints/{endpoint_id}/reveal-secret", reveal_secret, "endpoint.secret_revealed"),
    Route("GET", "/applications/{application_id}/endpoints", list_of_application),
    Route("POST", "/applications/{application_id}/endpoints", create_in_application, "endpoint.created"),
)
