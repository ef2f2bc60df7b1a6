"""Applications of a workspace: its customers, who manage their own endpoints in the portal."""

from typing import Annotated, Any

from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from clarion.router.v1 import catalogs_pb2
from gateway import queries
from gateway.dialects.nahook import ids
from gateway.dialects.nahook.bodies import Body
from gateway.dialects.nahook.management.calls import Call, Route, time
from gateway.queries import Bounds
from gateway.replies import json_reply

LIMIT = Bounds(default=50, least=1, most=100)
OFFSET = Bounds(default=0, least=0, most=10_000)
MAX_ENDPOINTS = 20_000

Count = Annotated[int, Meta(ge=0, le=MAX_ENDPOINTS)]


class NewApplicationBody(Body, kw_only=True):
    """The body of POST /applications. max_endpoints: null: no limit; 0: the application can only be read."""

    name: str
    external_id: str | None = None
    metadata: dict[str, str] | None = None
    max_endpoints: Count | None = None
    show_event_types: bool | None = None


class ApplicationChangeBody(Body, kw_only=True):
    """The body of PATCH /applications/{id}. max_endpoints: absent: it stays; null: no limit."""

    name: str | UnsetType = UNSET
    metadata: dict[str, str] | UnsetType | None = UNSET
    max_endpoints: Count | UnsetType | None = UNSET
    show_event_types: bool | UnsetType = UNSET


async def list_all(call: Call) -> web.Response:
    """List a part of the applications."""
    limit, offset = queries.numbers(call.request, limit=LIMIT, offset=OFFSET)
    wire = catalogs_pb2.ListApplicationsRequest(tenant_id=call.tenant_id, limit=limit, offset=offset)
    answer = await call.ask(call.backend.clients.catalogs.ListApplications, wire)
    return json_reply([_shown(one) for one in answer.applications])


async def create(call: Call) -> web.Response:
    """Create an application."""
    body = await call.body(NewApplicationBody)
    application = catalogs_pb2.Application(
        tenant_id=call.tenant_id,
        name=body.name,
        external_id=body.external_id or "",
        metadata=body.metadata or {},
        max_endpoints=body.max_endpoints,
        show_event_types=body.show_event_types is not False,
    )
    wire = catalogs_pb2.CreateApplicationRequest(application=application)
    made = _shown((await call.ask(call.backend.clients.catalogs.CreateApplication, wire)).application)
    call.made(made["id"])
    return json_reply(made, status=201)


async def get(call: Call) -> web.Response:
    """Return an application."""
    wire = catalogs_pb2.GetApplicationRequest(tenant_id=call.tenant_id, application_id=_application_id(call))
    answer = await call.ask(call.backend.clients.catalogs.GetApplication, wire)
    return json_reply(_shown(answer.application))


async def change(call: Call) -> web.Response:
    """Update the fields that the body contains."""
    body = await call.body(ApplicationChangeBody)
    wire = catalogs_pb2.UpdateApplicationRequest(tenant_id=call.tenant_id, application_id=_application_id(call))
    if body.name is not UNSET:
        wire.name = body.name
    if body.metadata is not UNSET:
        wire.metadata.CopyFrom(catalogs_pb2.Labels(values=body.metadata or {}))
    if body.max_endpoints is not UNSET:
        wire.max_endpoints.CopyFrom(catalogs_pb2.OptionalCount(value=body.max_endpoints))
    if body.show_event_types is not UNSET:
        wire.show_event_types = body.show_event_types
    answer = await call.ask(call.backend.clients.catalogs.UpdateApplication, wire)
    return json_reply(_shown(answer.application))


async def delete(call: Call) -> web.Response:
    """Delete an application and its endpoints."""
    wire = catalogs_pb2.DeleteApplicationRequest(tenant_id=call.tenant_id, application_id=_application_id(call))
    await call.ask(call.backend.clients.catalogs.DeleteApplication, wire)
    return web.Response(status=204)


def _shown(application: catalogs_pb2.Application) -> dict[str, Any]:
    return {
        "id": ids.public(ids.APPLICATION, application.id),
        "externalId": application.external_id or None,
        "name": application.name,
        "metadata": dict(application.metadata),
        "maxEndpoints": application.max_endpoints if application.HasField("max_endpoints") else None,
        "showEventTypes": application.show_event_types,
        "createdAt": time(application.created_at_us),
        "updatedAt": time(application.updated_at_us),
    }


def _application_id(call: Call) -> str:
    return call.id(ids.APPLICATION, "application_id")


ROUTES = (
    Route("GET", "/applications", list_all, query=("limit", "offset")),
    Route("POST", "/applications", create, "application.created"),
    Route("GET", "/applications/{application_id}", get),
    Route("PATCH", "/applications/{application_id}", change, "application.updated"),
    Route("DELETE", "/applications/{application_id}", delete, "application.deleted"),
)
