"""Groups of a tenant's stored recipients."""

from typing import Any

from aiohttp import web
from msgspec import field

from clarion.router.v1 import recipients_pb2
from gateway.admin import forms
from gateway.admin.recipients import shown
from gateway.clients import Clients
from gateway.replies import json_reply


class GroupFieldsBody(forms.Body):
    """The body of PUT /tenants/{id}/groups/{group_key}."""

    name: str = ""


class MembersBody(forms.Body):
    """The body of POST /tenants/{id}/groups/{group_key}/members: ids of recipients, at most 500 in both lists."""

    add: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)


class GroupRoutes:
    """Handlers that ask the router's RecipientService, always for the tenant in the path."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def put(self, request: web.Request) -> web.Response:
        """Store a group, or rename it; its members stay."""
        body = await forms.read(request, GroupFieldsBody)
        wire = recipients_pb2.PutGroupRequest(**await self._group(request), name=body.name)
        answer = await self._clients.call(self._clients.recipients.PutGroup, wire)
        return json_reply(_shown(answer.group))

    async def list_all(self, request: web.Request) -> web.Response:
        """List groups in the order of their creation."""
        wire = recipients_pb2.ListGroupsRequest(
            tenant_id=await forms.path_tenant(request, self._clients),
            search=forms.text(request, "search"),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.recipients.ListGroups, wire)
        return json_reply(forms.page(request, list(map(_shown, answer.groups)), answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return one group with the number of its members."""
        wire = recipients_pb2.GetGroupRequest(**await self._group(request))
        answer = await self._clients.call(self._clients.recipients.GetGroup, wire)
        return json_reply(_shown(answer.group))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete one group; its members stay stored."""
        wire = recipients_pb2.DeleteGroupRequest(**await self._group(request))
        await self._clients.call(self._clients.recipients.DeleteGroup, wire)
        return web.Response(status=204)

    async def change_members(self, request: web.Request) -> web.Response:
        """Add and remove members: all of them, or none if one is invalid."""
        body = await forms.read(request, MembersBody)
        wire = recipients_pb2.ChangeMembersRequest(**await self._group(request), add=body.add, remove=body.remove)
        answer = await self._clients.call(self._clients.recipients.ChangeMembers, wire)
        return json_reply({"added": answer.added, "removed": answer.removed})

    async def members(self, request: web.Request) -> web.Response:
        """List the members of a group in the order of the recipients' creation."""
        wire = recipients_pb2.ListMembersRequest(
            **await self._group(request), limit=forms.limit(request), cursor=forms.cursor(request)
        )
        answer = await self._clients.call(self._clients.recipients.ListMembers, wire)
        return json_reply(forms.page(request, list(map(shown, answer.recipients)), answer.next_cursor))

    async def _group(self, request: web.Request) -> dict[str, str]:
        """Return the fields that identify the group in the path. Raises NOT_FOUND if there is no such tenant."""
        tenant_id = await forms.path_tenant(request, self._clients)
        return {"tenant_id": tenant_id, "key": request.match_info["group_key"]}


def _shown(group: recipients_pb2.Group) -> dict[str, Any]:
    return {
        "key": group.key,
        "name": group.name,
        "members": group.members,
        "created_at": forms.iso(group.created_at_us),
    }
