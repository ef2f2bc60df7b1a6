"""Environments of a workspace, and which event types each of them publishes."""

from typing import Any

from aiohttp import web
from msgspec import UNSET, UnsetType

from clarion.router.v1 import catalogs_pb2
from gateway.dialects.nahook import ids
from gateway.dialects.nahook.bodies import Body
from gateway.dialects.nahook.management.calls import Call, Route, time
from gateway.replies import json_reply


class NewEnvironmentBody(Body, kw_only=True):
    """The body of POST /environments."""

    name: str
    slug: str


class EnvironmentChangeBody(Body, kw_only=True):
    """The body of PATCH /environments/{id}."""

    name: str | UnsetType = UNSET


class VisibilityBody(Body, kw_only=True):
    """The body of PUT …/visibility."""

    published: bool


async def list_all(call: Call) -> web.Response:
    """List the environments, the default one first; there are at most ten."""
    wire = catalogs_pb2.ListEnvironmentsRequest(tenant_id=call.tenant_id)
    answer = await call.ask(call.backend.clients.catalogs.ListEnvironments, wire)
    return json_reply([_shown(one) for one in answer.environments])


async def create(call: Call) -> web.Response:
    """Create an environment, which publishes no event type yet."""
    body = await call.body(NewEnvironmentBody)
    wire = catalogs_pb2.CreateEnvironmentRequest(tenant_id=call.tenant_id, name=body.name, slug=body.slug)
    made = _shown((await call.ask(call.backend.clients.catalogs.CreateEnvironment, wire)).environment)
    call.made(made["id"])
    return json_reply(made, status=201)


async def get(call: Call) -> web.Response:
    """Return an environment."""
    wire = catalogs_pb2.GetEnvironmentRequest(tenant_id=call.tenant_id, environment_id=_environment_id(call))
    answer = await call.ask(call.backend.clients.catalogs.GetEnvironment, wire)
    return json_reply(_shown(answer.environment))


async def change(call: Call) -> web.Response:
    """Update the name. The slug stays."""
    body = await call.body(EnvironmentChangeBody)
    wire = catalogs_pb2.UpdateEnvironmentRequest(tenant_id=call.tenant_id, environment_id=_environment_id(call))
    if body.name is not UNSET:
        wire.name = body.name
    answer = await call.ask(call.backend.clients.catalogs.UpdateEnvironment, wire)
    return json_reply(_shown(answer.environment))


async def delete(call: Call) -> web.Response:
    """Delete an environment that is not the default one and has no endpoints."""
    wire = catalogs_pb2.DeleteEnvironmentRequest(tenant_id=call.tenant_id, environment_id=_environment_id(call))
    await call.ask(call.backend.clients.catalogs.DeleteEnvironment, wire)
    return web.Response(status=204)


async def list_visibility(call: Call) -> web.Response:
    """List all event types of the workspace, with whether the environment publishes each."""
    wire = catalogs_pb2.ListVisibilityRequest(tenant_id=call.tenant_id, environment_id=_environment_id(call))
    answer = await call.ask(call.backend.clients.catalogs.ListVisibility, wire)
    return json_reply([_shown_visibility(one) for one in answer.visibilities])


async def set_visibility(call: Call) -> web.Response:
    """Publish an event type in an environment, or withdraw it."""
    body = await call.body(VisibilityBody)
    wire = catalogs_pb2.SetVisibilityRequest(
        tenant_id=call.tenant_id,
        environment_id=_environment_id(call),
        event_type_id=call.id(ids.EVENT_TYPE, "event_type_id"),
        published=body.published,
    )
    answer = await call.ask(call.backend.clients.catalogs.SetVisibility, wire)
    return json_reply(_shown_visibility(answer.visibility))


def _shown(environment: catalogs_pb2.Environment) -> dict[str, Any]:
    return {
        "id": ids.public(ids.ENVIRONMENT, environment.id),
        "name": environment.name,
        "slug": environment.slug,
        "isDefault": environment.is_default,
        "createdAt": time(environment.created_at_us),
        "updatedAt": time(environment.updated_at_us),
    }


def _shown_visibility(visibility: catalogs_pb2.Visibility) -> dict[str, Any]:
    return {
        "eventTypeId": ids.public(ids.EVENT_TYPE, visibility.event_type_id),
        "eventTypeName": visibility.event_type,
        "published": visibility.published,
    }


def _environment_id(call: Call) -> str:
    return call.id(ids.ENVIRONMENT, "environment_id")


ROUTES = (
    Route("GET", "/environments", list_all),
    Route("POST", "/environments", create, "environment.created"),
    Route("GET", "/environments/{environment_id}", get),
    Route("PATCH", "/environments/{environment_id}", change, "environment.updated"),
    Route("DELETE", "/environments/{environment_id}", delete, "environment.deleted"),
    Route("GET", "/environments/{environment_id}/event-types", list_visibility),
    Route(
        "PUT",
        "/environments/{environment_id}/event-types/{event_type_id}/visibility",
        set_visibility,
        "environment.visibility_set",
    ),
)
