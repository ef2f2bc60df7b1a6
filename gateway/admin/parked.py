"""How an endpoint is doing, and the deliveries that wait for it."""

from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta, field

from clarion.senders.v1 import endpoints_pb2
from gateway import webhooks
from gateway.admin import forms
from gateway.admin.endpoints import existing_endpoint
from gateway.clients import Clients
from gateway.polling import DEFAULT_ITEMS, MAX_ITEMS, shown_page
from gateway.replies import json_reply
from runtime.ids import is_uuid
from services.domain.reasons import text_of

MAX_SKIPPED = 100
# As many as fit into a query parameter.
MAX_STATES = 25
# Skipping writes a record of each.
_DEADLINE_S = 12.0


class SkipBody(forms.Body):
    """The body of POST …/parked/skip: exactly one of the fields."""

    delivery_ids: Annotated[list[forms.Id], Meta(max_length=MAX_SKIPPED)] = field(default_factory=list)
    # The first one of an endpoint in strict order.
    first: bool = False
    all: bool = False


class PollBody(forms.Body):
    """The body of POST …/poll. cursor: of the previous response; empty: from the oldest one that was not received."""

    cursor: Annotated[str, Meta(max_length=1024, pattern=r"^[^\u0000]*$")] = ""
    limit: Annotated[int, Meta(ge=1, le=MAX_ITEMS)] = DEFAULT_ITEMS


class ParkedRoutes:
    """Handlers that ask the senders' ParkingService, always for the tenant in the path."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def state(self, request: web.Request) -> web.Response:
        """Return the circuit breaker of an endpoint, and how much waits."""
        wire = endpoints_pb2.GetEndpointStateRequest(**await existing_endpoint(request, self._clients))
        return json_reply(shown_state(await self._clients.call(self._clients.parking.GetEndpointState, wire)))

    async def states(self, request: web.Request) -> web.Response:
        """Return the state of several endpoints, each as state() without oldest_at."""
        named = forms.text(request, "endpoint_ids")
        ids = list(dict.fromkeys(named.split(","))) if named else []
        if not 1 <= len(ids) <= MAX_STATES or not all(map(is_uuid, ids)):
            raise forms.invalid("endpoint_ids", f"must be 1 to {MAX_STATES} ids with commas between them")
        tenant_id = await forms.path_tenant(request, self._clients)
        wire = endpoints_pb2.ListEndpointStatesRequest(tenant_id=tenant_id, endpoint_ids=ids)
        answer = await self._clients.call(self._clients.parking.ListEndpointStates, wire)
        known = {one.endpoint_id: one.state for one in answer.states}
        well = endpoints_pb2.GetEndpointStateResponse()
        states = [{"endpoint_id": id_, **shown_state(known.get(id_, well))} for id_ in ids]
        for state in states:
            del state["oldest_at"]
        return json_reply(forms.page(request, states, ""))

    async def list_all(self, request: web.Request) -> web.Response:
        """List the deliveries that wait, the next ones first."""
        wire = endpoints_pb2.ListParkedRequest(
            **await existing_endpoint(request, self._clients),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.parking.ListParked, wire)
        return json_reply(forms.page(request, list(map(_shown, answer.deliveries)), answer.next_cursor))

    async def skip(self, request: web.Request) -> web.Response:
        """End waiting deliveries as skipped."""
        body = await forms.read(request, SkipBody)
        if bool(body.delivery_ids) + body.first + body.all != 1:
            raise forms.invalid("body", "must have exactly one of delivery_ids, first and all")
        wire = endpoints_pb2.SkipParkedRequest(
            **await existing_endpoint(request, self._clients),
            delivery_ids=body.delivery_ids,
            first=body.first,
            all=body.all,
        )
        answer = await self._clients.call(self._clients.parking.SkipParked, wire, deadline=_DEADLINE_S)
        return json_reply({"skipped": answer.skipped})

    async def probe(self, request: web.Request) -> web.Response:
        """Attempt what waits for an endpoint that is down now."""
        wire = endpoints_pb2.ProbeEndpointRequest(**await existing_endpoint(request, self._clients))
        await self._clients.call(self._clients.parking.ProbeEndpoint, wire)
        return web.Response(status=204)

    async def poll(self, request: web.Request) -> web.Response:
        """Return the next deliveries of a polled endpoint, as its receiver reads them."""
        body = await forms.read(request, PollBody)
        wire = endpoints_pb2.PollRequest(
            **await existing_endpoint(request, self._clients), cursor=body.cursor, limit=body.limit
        )
        return json_reply(shown_page(await self._clients.call(self._clients.parking.Poll, wire)))


def shown_state(state: endpoints_pb2.GetEndpointStateResponse) -> dict[str, Any]:
    """Return the state of an endpoint as the API shows it."""
    return {
        "state": webhooks.STATES.get(state.state, "closed"),
        "since": forms.iso(state.since_us),
        "next_probe_at": forms.iso(state.next_probe_at_us),
        "failing_since": forms.iso(state.failing_since_us),
        "parked": state.parked,
        "oldest_at": forms.iso(state.oldest_us),
    }


def _shown(one: endpoints_pb2.ParkedDelivery) -> dict[str, Any]:
    return {
        "delivery_id": one.delivery_id,
        "event_id": one.event_id,
        "event_type": one.event_type,
        "reason": one.reason,
        "reason_text": text_of(one.reason),
        "attempt": one.attempt,
        "parked_at": forms.iso(one.parked_at_us),
        "due_at": forms.iso(one.due_at_us),
    }
