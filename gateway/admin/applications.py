"""Applications: the customers of a tenant, who manage endpoints in the portal."""

from typing import Annotated, Any

from aiohttp import web
from msgspec import UNSET, Meta, UnsetType, field

from clarion.router.v1 import catalogs_pb2
from gateway import portal
from gateway.admin import forms
from gateway.admin.endpoints import Label
from gateway.clients import Clients
from gateway.replies import json_reply
from gateway.revisions import Revisions

Name = Annotated[str, Meta(min_length=1, max_length=255)]
Labels = Annotated[dict[Label, Label], Meta(max_length=5)]
Count = Annotated[int, Meta(ge=0, le=20_000)]


class NewApplicationBody(forms.Body):
    """The body of POST /tenants/{id}/applications. max_endpoints: null: no limit."""

    name: Name
    external_id: Label = ""
    metadata: Labels = field(default_factory=dict)
    max_endpoints: Count | None = None
    # The portal shows it the published event types.
    show_event_types: bool = False


class ApplicationChangeBody(forms.Body):
    """The body of PATCH /tenants/{id}/applications/{application_id}. Absent fields stay as they are."""

    name: Name | UnsetType = UNSET
    metadata: Labels | UnsetType = UNSET
    max_endpoints: Count | UnsetType | None = UNSET
    show_event_types: bool | UnsetType = UNSET


class NewPortalLinkBody(forms.Body):
    """The body of POST …/portal."""

    role: portal.Role = "editor"
    # When the link and what it opened end.
    expires_in_minutes: Annotated[int, Meta(ge=1, le=portal.MAX_MINUTES)] = portal.DEFAULT_MINUTES


class ApplicationRoutes:
    """Handlers that ask the router's CatalogService, always for the tenant in the path."""

    def __init__(self, clients: Clients, revisions: Revisions, links: portal.PortalLinks) -> None:
        self._clients = clients
        self._revisions = revisions
        self._links = links

    async def create(self, request: web.Request) -> web.Response:
        """Create an application."""
        body = await forms.read(request, NewApplicationBody)
        application = catalogs_pb2.Application(
            tenant_id=await forms.path_tenant(request, self._clients),
            external_id=body.external_id,
            name=body.name,
            metadata=body.metadata,
            max_endpoints=body.max_endpoints,
            show_event_types=body.show_event_types,
        )
        wire = catalogs_pb2.CreateApplicationRequest(application=application)
        answer = await self._clients.call(self._clients.catalogs.CreateApplication, wire)
        return json_reply(_shown(answer.application), status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """List applications in the order of their creation."""
        limit, offset = forms.limit(request), _offset(request)
        wire = catalogs_pb2.ListApplicationsRequest(
            tenant_id=await forms.path_tenant(request, self._clients), limit=limit, offset=offset
        )
        answer = await self._clients.call(self._clients.catalogs.ListApplications, wire)
        is_last = len(answer.applications) < limit
        return json_reply(
            forms.page(request, list(map(_shown, answer.applications)), "" if is_last else str(offset + limit))
        )

    async def get(self, request: web.Request) -> web.Response:
        """Return one application."""
        wire = catalogs_pb2.GetApplicationRequest(**await self._named(request))
        answer = await self._clients.call(self._clients.catalogs.GetApplication, wire)
        return json_reply(_shown(answer.application))

    async def change(self, request: web.Request) -> web.Response:
        """Update the fields that the body contains."""
        body = await forms.read(request, ApplicationChangeBody)
        wire = catalogs_pb2.UpdateApplicationRequest(**await self._named(request))
        if body.name is not UNSET:
            wire.name = body.name
        if body.metadata is not UNSET:
            wire.metadata.CopyFrom(catalogs_pb2.Labels(values=body.metadata))
        if body.max_endpoints is not UNSET:
            wire.max_endpoints.CopyFrom(catalogs_pb2.OptionalCount(value=body.max_endpoints))
        if body.show_event_types is not UNSET:
            wire.show_event_types = body.show_event_types
        answer = await self._clients.call(self._clients.catalogs.UpdateApplication, wire)
        return json_reply(_shown(answer.application))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete an application with its endpoints."""
        wire = catalogs_pb2.DeleteApplicationRequest(**await self._named(request))
        answer = await self._clients.call(self._clients.catalogs.DeleteApplication, wire)
        self._revisions.remember(wire.tenant_id, answer.revision)
        return web.Response(status=204)

    async def open_portal(self, request: web.Request) -> web.Response:
        """Create a link to the portal of one application. Only this response contains it."""
        body = await forms.read(request, NewPortalLinkBody)
        names = await self._named(request)
        link = await self._links.create(
            request, names["tenant_id"], names["application_id"], role=body.role, minutes=body.expires_in_minutes
        )
        shown = {"url": link.url, "code": link.code, "role": body.role, "expires_at": forms.iso(link.expires_at_us)}
        return json_reply(shown, status=201)

    async def _named(self, request: web.Request) -> dict[str, Any]:
        """Return the fields that identify the application in the path. Raises NOT_FOUND if it cannot exist."""
        application_id = forms.path_uuid(request, "application_id")
        return {"tenant_id": await forms.path_tenant(request, self._clients), "application_id": application_id}


def _offset(request: web.Request) -> int:
    return int(forms.cursor(request) or 0)


def _shown(one: catalogs_pb2.Application) -> dict[str, Any]:
    return {
        "id": one.id,
        "tenant_id": one.tenant_id,
        "external_id": one.external_id or None,
        "name": one.name,
        "metadata": dict(one.metadata),
        "max_endpoints": one.max_endpoints if one.HasField("max_endpoints") else None,
        "show_event_types": one.show_event_types,
        "created_at": forms.iso(one.created_at_us),
        "updated_at": forms.iso(one.updated_at_us),
    }
