"""Layouts and partials, which templates include."""

from typing import Any

from aiohttp import web

from clarion.render.v1 import parts_pb2, templates_pb2
from gateway.admin import forms
from gateway.admin.templates import PART_KINDS, TRY_DEADLINE_S, newer_version, owners, part_kind_name, shown
from gateway.clients import Clients
from gateway.replies import json_reply


class NewPartBody(forms.Body):
    """The body of POST /template-parts. Without tenant_id: for all tenants that have no own one with this name.

    based_on, force: as of POST /templates.
    """

    kind: str
    name: str
    body: str
    tenant_id: forms.OptionalId = ""
    based_on: forms.OptionalId = ""
    force: bool = False


class PartRoutes:
    """Handlers that ask render."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def create(self, request: web.Request) -> web.Response:
        """Create a version. Templates saved from now on use it, existing ones after `apply`."""
        body = await forms.read(request, NewPartBody)
        kind = _kind(body.kind)
        if body.tenant_id:
            await forms.check_tenant(request, self._clients, body.tenant_id)
        wire = parts_pb2.CreatePartRequest(
            tenant_id=body.tenant_id,
            kind=kind,
            name=body.name,
            body=body.body,
            based_on="" if body.force else body.based_on,
        )
        answer = await self._clients.call(self._clients.parts.CreatePart, wire, deadline=TRY_DEADLINE_S)
        if answer.HasField("newer"):
            return newer_version(answer.newer.id, answer.newer.version, answer.newer.created_at_us)
        return json_reply(_part(answer.part), status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """List versions, newest first."""
        kind = forms.text(request, "kind")
        wire = parts_pb2.ListPartsRequest(
            tenant_ids=owners(request),
            kind=_kind(kind) if kind else templates_pb2.PART_KIND_UNSPECIFIED,
            name=forms.text(request, "name"),
            newest_only=forms.flag(request, "newest"),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.parts.ListParts, wire)
        return json_reply(forms.page(request, [_part(part) for part in answer.parts], answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return one version."""
        wire = parts_pb2.GetPartRequest(part_version_id=forms.path_id(request))
        answer = await self._clients.call(self._clients.parts.GetPart, wire)
        return json_reply(_part(answer.part))

    async def users(self, request: web.Request) -> web.Response:
        """List the active templates that use any version of this part."""
        wire = parts_pb2.ListPartUsersRequest(
            part_version_id=forms.path_id(request), limit=forms.limit(request), cursor=forms.cursor(request)
        )
        answer = await self._clients.call(self._clients.parts.ListPartUsers, wire)
        return json_reply(forms.page(request, [_user(one) for one in answer.users], answer.next_cursor))

    async def apply(self, request: web.Request) -> web.Response:
        """Update the active templates that use an older version."""
        wire = parts_pb2.ApplyPartRequest(part_version_id=forms.path_id(request), cursor=forms.cursor(request))
        answer = await self._clients.call(self._clients.parts.ApplyPart, wire, deadline=TRY_DEADLINE_S)
        return json_reply(
            {
                "updated": [shown(template) for template in answer.updated],
                "failed": [{"id": one.template_version_id, "detail": one.detail} for one in answer.failed],
                "more": answer.more,
                "next_cursor": forms.sealed_cursor(request, answer.next_cursor),
            }
        )


def _kind(name: str) -> "templates_pb2.PartKind.ValueType":
    if name not in PART_KINDS:
        raise forms.invalid("kind", f"must be one of {', '.join(PART_KINDS)}")
    return PART_KINDS[name]


def _user(user: parts_pb2.PartUser) -> dict[str, Any]:
    return {
        "id": user.template_version_id,
        "tenant_id": user.tenant_id or None,
        "event_type": user.event_type,
        "channel": forms.channel_name(user.channel),
        "locale": user.locale or None,
        "version": user.version,
        "part_version": user.part_version,
        "is_current": user.is_current,
    }


def _part(part: parts_pb2.PartVersion) -> dict[str, Any]:
    return {
        "id": part.id,
        "version": part.version,
        "tenant_id": part.tenant_id or None,
        "kind": part_kind_name(part.kind),
        "name": part.name,
        "body": part.body,
        "created_at": forms.iso(part.created_at_us),
    }
