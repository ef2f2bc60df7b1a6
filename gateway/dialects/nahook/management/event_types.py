"""Event types of a workspace, and which of them endpoints subscribe to."""

from typing import Annotated, Any

from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from clarion.router.v1 import catalogs_pb2, endpoints_pb2
from gateway.dialects.nahook import ids
from gateway.dialects.nahook.bodies import Body
from gateway.dialects.nahook.ingest.events import check_type
from gateway.dialects.nahook.management.calls import Call, Route, time
from gateway.replies import json_reply

# The list has no pages, so it is read in pages of this size.
_PAGE = 200
MAX_AT_ONCE = 100


class NewEventTypeBody(Body, kw_only=True):
    """The body of POST /event-types."""

    name: str
    description: str | None = None


class EventTypeChangeBody(Body, kw_only=True):
    """The body of PATCH /event-types/{id}."""

    description: str | UnsetType | None = UNSET


class SubscribeBody(Body, kw_only=True):
    """The body of POST /endpoints/{id}/subscriptions."""

    event_type_ids: Annotated[list[str], Meta(min_length=1, max_length=MAX_AT_ONCE)]


async def list_all(call: Call) -> web.Response:
    """List all event types of the workspace."""
    found: list[dict[str, Any]] = []
    wire = catalogs_pb2.ListEventTypesRequest(tenant_id=call.tenant_id, limit=_PAGE)
    while True:
        answer = await call.ask(call.backend.clients.catalogs.ListEventTypes, wire)
        found += map(_shown, answer.event_types)
        if not answer.next_cursor:
            return json_reply(found)
        wire.cursor = answer.next_cursor


async def create(call: Call) -> web.Response:
    """Create an event type."""
    body = await call.body(NewEventTypeBody)
    check_type(body.name, "name")
    wire = catalogs_pb2.CreateEventTypeRequest(
        tenant_id=call.tenant_id, name=body.name, description=body.description or ""
    )
    made = _shown((await call.ask(call.backend.clients.catalogs.CreateEventType, wire)).event_type)
    call.made(made["id"])
    return json_reply(made, status=201)


async def get(call: Call) -> web.Response:
    """Return an event type."""
    wire = catalogs_pb2.GetEventTypeRequest(tenant_id=call.tenant_id, event_type_id=_event_type_id(call))
    answer = await call.ask(call.backend.clients.catalogs.GetEventType, wire)
    return json_reply(_shown(answer.event_type))


async def change(call: Call) -> web.Response:
    """Update the description."""
    body = await call.body(EventTypeChangeBody)
    wire = catalogs_pb2.UpdateEventTypeRequest(tenant_id=call.tenant_id, event_type_id=_event_type_id(call))
    if body.description is not UNSET:
        wire.description = body.description or ""
    answer = await call.ask(call.backend.clients.catalogs.UpdateEventType, wire)
    return json_reply(_shown(answer.event_type))


async def delete(call: Call) -> web.Response:
    """Delete an event type and the subscriptions to it."""
    wire = catalogs_pb2.DeleteEventTypeRequest(tenant_id=call.tenant_id, event_type_id=_event_type_id(call))
    await call.ask(call.backend.clients.catalogs.DeleteEventType, wire)
    return web.Response(status=204)


async def subscriptions(call: Call) -> web.Response:
    """List what an endpoint subscribes to."""
    wire = endpoints_pb2.ListSubscriptionsRequest(tenant_id=call.tenant_id, endpoint_id=_endpoint_id(call))
    answer = await call.ask(call.backend.clients.endpoints.ListSubscriptions, wire)
    return json_reply([_shown_subscription(one) for one in answer.subscriptions])


async def subscribe(call: Call) -> web.Response:
    """Subscribe an endpoint to event types; tell how many subscriptions are new."""
    body = await call.body(SubscribeBody)
    wire = endpoints_pb2.SubscribeRequest(
        tenant_id=call.tenant_id,
        endpoint_id=_endpoint_id(call),
        event_type_ids=dict.fromkeys(ids.private(ids.EVENT_TYPE, one) for one in body.event_type_ids),
    )
    answer = await call.ask(call.backend.clients.endpoints.Subscribe, wire)
    return json_reply({"subscribed": answer.subscribed}, status=201)


async def unsubscribe(call: Call) -> web.Response:
    """Delete the subscription of an endpoint to an event type."""
    wire = endpoints_pb2.UnsubscribeRequest(
        tenant_id=call.tenant_id, endpoint_id=_endpoint_id(call), event_type_id=_event_type_id(call)
    )
    await call.ask(call.backend.clients.endpoints.Unsubscribe, wire)
    return web.Response(status=204)


def _shown(event_type: catalogs_pb2.EventType) -> dict[str, Any]:
    return {
        "id": ids.public(ids.EVENT_TYPE, event_type.id),
        "name": event_type.name,
        "description": event_type.description or None,
        "subscriberCount": event_type.subscriber_count,
        "createdAt": time(event_type.created_at_us),
    }


def _shown_subscription(subscription: endpoints_pb2.Subscription) -> dict[str, Any]:
    return {
        "id": ids.public(ids.SUBSCRIPTION, subscription.id),
        "endpointId": ids.public(ids.ENDPOINT, subscription.endpoint_id),
        "eventTypeId": ids.public(ids.EVENT_TYPE, subscription.event_type_id),
        "eventTypeName": subscription.event_type,
        "createdAt": time(subscription.created_at_us),
    }


def _event_type_id(call: Call) -> str:
    return call.id(ids.EVENT_TYPE, "event_type_id")


def _endpoint_id(call: Call) -> str:
    return call.id(ids.ENDPOINT, "endpoint_id")


ROUTES = (
    Route("GET", "/event-types", list_all),
    Route("POST", "/event-types", create, "event_type.created"),
    Route("GET", "/event-types/{event_type_id}", get),
    Route("PATCH", "/event-types/{event_type_id}", change, "event_type.updated"),
    Route("DELETE", "/event-types/{event_type_id}", delete, "event_type.deleted"),
    Route("GET", "/endpoints/{endpoint_id}/subscriptions", subscriptions),
    Route("POST", "/endpoints/{endpoint_id}/subscriptions", subscribe, "subscription.created"),
    Route("DELETE", "/endpoints/{endpoint_id}/subscriptions/{event_type_id}", unsubscribe, "subscription.deleted"),
)
