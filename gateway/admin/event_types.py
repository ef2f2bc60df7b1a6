"""Event types of a tenant, and which of them an endpoint gets."""

from typing import Annotated, Any

import msgspec
import orjson
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from clarion.router.v1 import catalogs_pb2, endpoints_pb2
from gateway.admin import forms
from gateway.admin.endpoints import Description, named_endpoint
from gateway.clients import Clients
from gateway.replies import json_reply
from gateway.revisions import Revisions
from services.domain.endpoints import MAX_METADATA, event_type_id

MAX_SUBSCRIBED = 100

TypeName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        pattern=r"^[a-z0-9_-]+(\.[a-z0-9_-]+)*$",
        description="lower-case letters, digits, `_` and `-`, in parts with dots between them",
        examples=["order.shipped"],
    ),
]

_encode = msgspec.json.Encoder().encode


class NewEventTypeBody(forms.Body):
    """The body of POST /tenants/{id}/event-types."""

    name: TypeName
    description: Description = ""


class EventTypeChangeBody(forms.Body):
    """The body of PATCH /tenants/{id}/event-types/{event_type_id}."""

    description: Description | UnsetType = UNSET


class SubscriptionsBody(forms.Body):
    """The body of POST …/subscriptions. filter: a JSON-Logic rule; null: none; absent: existing ones keep theirs."""

    event_types: Annotated[list[TypeName], Meta(min_length=1, max_length=MAX_SUBSCRIBED)]
    filter: dict[str, Any] | UnsetType | None = UNSET


class FilterCheckBody(forms.Body):
    """The body of POST /tenants/{id}/filter-check. payload: what is sent; metadata: the caller's labels."""

    filter: dict[str, Any]
    event_type: TypeName
    payload: dict[str, Any] = msgspec.field(default_factory=dict)
    metadata: Annotated[dict[str, str], Meta(max_length=MAX_METADATA)] = msgspec.field(default_factory=dict)


class EventTypeRoutes:
    """Handlers that ask the router's CatalogService, always for the tenant in the path."""

    def __init__(self, clients: Clients, revisions: Revisions) -> None:
        self._clients = clients
        self._revisions = revisions

    async def create(self, request: web.Request) -> web.Response:
        """Create an event type."""
        body = await forms.read(request, NewEventTypeBody)
        wire = catalogs_pb2.CreateEventTypeRequest(
            tenant_id=await forms.path_tenant(request, self._clients), name=body.name, description=body.description
        )
        answer = await self._clients.call(self._clients.catalogs.CreateEventType, wire)
        return json_reply(_shown(answer.event_type), status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """List event types in the order of their names."""
        wire = catalogs_pb2.ListEventTypesRequest(
            tenant_id=await forms.path_tenant(request, self._clients),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.catalogs.ListEventTypes, wire)
        return json_reply(forms.page(request, list(map(_shown, answer.event_types)), answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return one event type."""
        wire = catalogs_pb2.GetEventTypeRequest(**await self._named(request))
        answer = await self._clients.call(self._clients.catalogs.GetEventType, wire)
        return json_reply(_shown(answer.event_type))

    async def change(self, request: web.Request) -> web.Response:
        """Update the description."""
        body = await forms.read(request, EventTypeChangeBody)
        wire = catalogs_pb2.UpdateEventTypeRequest(**await self._named(request))
        if body.description is not UNSET:
            wire.description = body.description
        answer = await self._clients.call(self._clients.catalogs.UpdateEventType, wire)
        return json_reply(_shown(answer.event_type))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete an event type with the subscriptions to it."""
        wire = catalogs_pb2.DeleteEventTypeRequest(**await self._named(request))
        answer = await self._clients.call(self._clients.catalogs.DeleteEventType, wire)
        self._revisions.remember(wire.tenant_id, answer.revision)
        return web.Response(status=204)

    async def subscribe(self, request: web.Request) -> web.Response:
        """Subscribe an endpoint to event types; return all its subscriptions."""
        body = await forms.read(request, SubscriptionsBody)
        names = await named_endpoint(request, self._clients)
        tenant_id = names["tenant_id"]
        wire = endpoints_pb2.SubscribeRequest(
            **names, event_type_ids=[event_type_id(tenant_id, name) for name in dict.fromkeys(body.event_types)]
        )
        if body.filter is not UNSET:
            wire.filter = _encode(body.filter) if body.filter is not None else b""
        answer = await self._clients.call(self._clients.endpoints.Subscribe, wire)
        self._revisions.remember(tenant_id, answer.revision)
        return json_reply({"subscribed": answer.subscribed, "data": await self._subscriptions(names)})

    async def check_filter(self, request: web.Request) -> web.Response:
        """Return whether a filter matches an event, without storing either."""
        body = await forms.read(request, FilterCheckBody)
        await forms.path_tenant(request, self._clients)
        wire = endpoints_pb2.CheckFilterRequest(
            filter=_encode(body.filter),
            event_type=body.event_type,
            payload=_encode(body.payload),
            metadata=body.metadata,
        )
        answer = await self._clients.call(self._clients.endpoints.CheckFilter, wire)
        return json_reply({"matches": answer.matches, "error": answer.error or None})

    async def unsubscribe(self, request: web.Request) -> web.Response:
        """Delete one subscription of an endpoint."""
        type_id = forms.path_uuid(request, "event_type_id")
        names = await named_endpoint(request, self._clients)
        wire = endpoints_pb2.UnsubscribeRequest(**names, event_type_id=type_id)
        answer = await self._clients.call(self._clients.endpoints.Unsubscribe, wire)
        self._revisions.remember(wire.tenant_id, answer.revision)
        return web.Response(status=204)

    async def subscriptions(self, request: web.Request) -> web.Response:
        """List the subscriptions of an endpoint in the order of their creation."""
        names = await named_endpoint(request, self._clients)
        return json_reply(forms.page(request, await self._subscriptions(names), ""))

    async def _subscriptions(self, names: dict[str, Any]) -> list[dict[str, Any]]:
        wire = endpoints_pb2.ListSubscriptionsRequest(**names)
        answer = await self._clients.call(self._clients.endpoints.ListSubscriptions, wire)
        return [_subscription(one) for one in answer.subscriptions]

    async def _named(self, request: web.Request) -> dict[str, str]:
        """Return the fields that identify the type in the path. Raises NOT_FOUND if tenant or id cannot exist."""
        type_id = forms.path_uuid(request, "event_type_id")
        return {"tenant_id": await forms.path_tenant(request, self._clients), "event_type_id": type_id}


def _shown(one: catalogs_pb2.EventType) -> dict[str, Any]:
    return {
        "id": one.id,
        "tenant_id": one.tenant_id,
        "name": one.name,
        "description": one.description,
        "subscriber_count": one.subscriber_count,
        "created_at": forms.iso(one.created_at_us),
    }


def _subscription(one: endpoints_pb2.Subscription) -> dict[str, Any]:
    return {
        "id": one.id,
        "endpoint_id": one.endpoint_id,
        "event_type_id": one.event_type_id,
        "event_type": one.event_type,
        # Unparsed: orjson could not write all of its numbers.
        "filter": orjson.Fragment(one.filter) if one.filter else None,
        "created_at": forms.iso(one.created_at_us),
    }
