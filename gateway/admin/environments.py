"""Environments of a tenant, and which event types each of them publishes in the portal."""

from typing import Annotated, Any

from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from clarion.router.v1 import catalogs_pb2
from gateway.admin import forms
from gateway.clients import Clients
from gateway.replies import json_reply

Name = Annotated[str, Meta(min_length=1, max_length=100)]


class NewEnvironmentBody(forms.Body):
    """The body of POST /tenants/{id}/environments."""

    name: Name
    slug: Annotated[str, Meta(min_length=1, max_length=50, pattern=r"^[a-z0-9-]+$", examples=["staging"])]


class EnvironmentChangeBody(forms.Body):
    """The body of PATCH /tenants/{id}/environments/{environment_id}."""

    name: Name | UnsetType = UNSET


class VisibilityChangeBody(forms.Body):
    """The body of PUT …/event-types/{event_type_id}."""

    published: bool


class EnvironmentRoutes:
    """Handlers that ask the router's CatalogService, always for the tenant in the path."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def create(self, request: web.Request) -> web.Response:
        """Create an environment."""
        body = await forms.read(request, NewEnvironmentBody)
        wire = catalogs_pb2.CreateEnvironmentRequest(
            tenant_id=await forms.path_tenant(request, self._clients), name=body.name, slug=body.slug
        )
        answer = await self._clients.call(self._clients.catalogs.CreateEnvironment, wire)
        return json_reply(_shown(answer.environment), status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """List environments, the default one first."""
        wire = catalogs_pb2.ListEnvironmentsRequest(tenant_id=await forms.path_tenant(request, self._clients))
        answer = await self._clients.call(self._clients.catalogs.ListEnvironments, wire)
        return json_reply(forms.page(request, list(map(_shown, answer.environments)), ""))

    async def get(self, request: web.Request) -> web.Response:
        """Return one environment."""
        wire = catalogs_pb2.GetEnvironmentRequest(**await self._named(request))
        answer = await self._clients.call(self._clients.catalogs.GetEnvironment, wire)
        return json_reply(_shown(answer.environment))

    async def change(self, request: web.Request) -> web.Response:
        """Rename an environment."""
        body = await forms.read(request, EnvironmentChangeBody)
        wire = catalogs_pb2.UpdateEnvironmentRequest(**await self._named(request))
        if body.name is not UNSET:
            wire.name = body.name
        answer = await self._clients.call(self._clients.catalogs.UpdateEnvironment, wire)
        return json_reply(_shown(answer.environment))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete an environment that has no endpoints."""
        wire = catalogs_pb2.DeleteEnvironmentRequest(**await self._named(request))
        await self._clients.call(self._clients.catalogs.DeleteEnvironment, wire)
        return web.Response(status=204)

    async def visibilities(self, request: web.Request) -> web.Response:
        """List the tenant's event types, with whether the portal shows them."""
        wire = catalogs_pb2.ListVisibilityRequest(**await self._named(request))
        answer = await self._clients.call(self._clients.catalogs.ListVisibility, wire)
        return json_reply(forms.page(request, list(map(_visibility, answer.visibilities)), ""))

    async def set_visibility(self, request: web.Request) -> web.Response:
        """Publish an event type in the portal, or hide it."""
        body = await forms.read(request, VisibilityChangeBody)
        type_id = forms.path_uuid(request, "event_type_id")
        wire = catalogs_pb2.SetVisibilityRequest(
            **await self._named(request), event_type_id=type_id, published=body.published
        )
        answer = await self._clients.call(self._clients.catalogs.SetVisibility, wire)
        return json_reply(_visibility(answer.visibility))

    async def _named(self, request: web.Request) -> dict[str, str]:
        """Return the fields that identify the environment in the path. Raises NOT_FOUND if it cannot exist."""
        environment_id = forms.path_uuid(request, "environment_id")
        return {"tenant_id": await forms.path_tenant(request, self._clients), "environment_id": environment_id}


def _shown(one: catalogs_pb2.Environment) -> dict[str, Any]:
    return {
        "id": one.id,
        "tenant_id": one.tenant_id,
        "name": one.name,
        "slug": one.slug,
        "is_default": one.is_default,
        "created_at": forms.iso(one.created_at_us),
        "updated_at": forms.iso(one.updated_at_us),
    }


def _visibility(one: catalogs_pb2.Visibility) -> dict[str, Any]:
    return {"event_type_id": one.event_type_id, "event_type": one.event_type, "published": one.published}
