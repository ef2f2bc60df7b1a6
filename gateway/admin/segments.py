"""Segments of a tenant: saved filters over its stored recipients."""

from typing import Annotated, Any

import msgspec
import orjson
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from clarion.router.v1 import segments_pb2
from gateway.admin import forms
from gateway.admin.recipients import shown as shown_recipient
from gateway.clients import Clients
from gateway.replies import json_reply

# A count may look at all recipients of a tenant, seconds.
_COUNT_DEADLINE_S = 15.0

Key = Annotated[str, Meta(min_length=1, max_length=64, examples=["vip-in-kenya"])]
Name = Annotated[str, Meta(min_length=1, max_length=255, examples=["VIPs in Kenya"])]
Filter = Annotated[
    dict[str, Any],
    Meta(
        description='`{"all": […]}`, `{"any": […]}`, `{"not": …}` or a test `{"field", "op", "value"}`; see'
        " docs/recipients.md.",
        examples=[{"all": [{"field": "tags", "op": "has_all", "value": ["vip"]}]}],
    ),
]

_encode = msgspec.json.Encoder().encode


class NewSegmentBody(forms.Body):
    """The body of POST /tenants/{id}/segments. key: how API calls may name it; it never changes."""

    key: Key
    name: Name
    filter: Filter


class SegmentChangeBody(forms.Body):
    """The body of PATCH /tenants/{id}/segments/{segment_id}. Absent fields stay as they are."""

    name: Name | UnsetType = UNSET
    filter: Filter | UnsetType = UNSET


class SegmentOrFilterBody(forms.Body):
    """The body of POST /tenants/{id}/segment-count: one of both. filter: need not be stored."""

    segment_id: forms.OptionalId = ""
    filter: Filter | UnsetType = UNSET


class SegmentRoutes:
    """Handlers that ask the router's SegmentService, always for the tenant in the path."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def create(self, request: web.Request) -> web.Response:
        """Store a segment."""
        body = await forms.read(request, NewSegmentBody)
        tenant_id = await forms.path_tenant(request, self._clients)
        segment = segments_pb2.Segment(tenant_id=tenant_id, key=body.key, name=body.name, filter=_encode(body.filter))
        wire = segments_pb2.CreateSegmentRequest(segment=segment)
        answer = await self._clients.call(self._clients.segments.CreateSegment, wire)
        return json_reply(_shown(answer.segment), status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """List segments in the order of their names."""
        wire = segments_pb2.ListSegmentsRequest(
            tenant_id=await forms.path_tenant(request, self._clients),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.segments.ListSegments, wire)
        return json_reply(forms.page(request, list(map(_shown, answer.segments)), answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return one segment."""
        wire = segments_pb2.GetSegmentRequest(**await self._segment(request))
        answer = await self._clients.call(self._clients.segments.GetSegment, wire)
        return json_reply(_shown(answer.segment))

    async def change(self, request: web.Request) -> web.Response:
        """Change the name or the filter of a segment."""
        body = await forms.read(request, SegmentChangeBody)
        which = await self._segment(request)
        wire = segments_pb2.UpdateSegmentRequest(tenant_id=which["tenant_id"], segment_id=which["segment_id"])
        if body.name is not UNSET:
            wire.name = body.name
        if body.filter is not UNSET:
            wire.filter = _encode(body.filter)
        answer = await self._clients.call(self._clients.segments.UpdateSegment, wire)
        return json_reply(_shown(answer.segment))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a segment that no workflow and no schedule names."""
        wire = segments_pb2.DeleteSegmentRequest(**await self._segment(request))
        await self._clients.call(self._clients.segments.DeleteSegment, wire)
        return web.Response(status=204)

    async def members(self, request: web.Request) -> web.Response:
        """List the recipients whom a segment matches now."""
        wire = segments_pb2.ListSegmentMembersRequest(
            **await self._segment(request), limit=forms.limit(request), cursor=forms.cursor(request)
        )
        answer = await self._clients.call(self._clients.segments.ListSegmentMembers, wire, deadline=_COUNT_DEADLINE_S)
        return json_reply(forms.page(request, list(map(shown_recipient, answer.recipients)), answer.next_cursor))

    async def count(self, request: web.Request) -> web.Response:
        """Count the recipients whom a segment, or a filter that is not stored, matches now."""
        body = await forms.read(request, SegmentOrFilterBody)
        tenant_id = await forms.path_tenant(request, self._clients)
        wire = segments_pb2.CountSegmentRequest(
            tenant_id=tenant_id,
            segment_id=body.segment_id,
            filter=b"" if body.filter is UNSET else _encode(body.filter),
        )
        answer = await self._clients.call(self._clients.segments.CountSegment, wire, deadline=_COUNT_DEADLINE_S)
        return json_reply(
            {
                "count": answer.count,
                "more": answer.is_cut,
                "first": list(map(shown_recipient, answer.first)),
            }
        )

    async def _segment(self, request: web.Request) -> dict[str, str]:
        """Return the fields that identify the segment in the path. Raises NOT_FOUND if there is no such tenant."""
        tenant_id = await forms.path_tenant(request, self._clients)
        return {"tenant_id": tenant_id, "segment_id": forms.path_uuid(request, "segment_id")}


def _shown(segment: segments_pb2.Segment) -> dict[str, Any]:
    return {
        "id": segment.id,
        "key": segment.key,
        "name": segment.name,
        "filter": orjson.Fragment(segment.filter),
        "created_at": forms.iso(segment.created_at_us),
        "updated_at": forms.iso(segment.updated_at_us),
    }
