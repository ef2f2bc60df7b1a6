"""What the portal shows: the endpoints of an application, one of them, and one delivery with its attempts."""

from typing import Any, NamedTuple

from aiohttp import web

from clarion.ingest.v1 import ledger_pb2
from clarion.router.v1 import catalogs_pb2, endpoints_pb2
from clarion.senders.v1 import endpoints_pb2 as parking_pb2
from gateway import webhooks
from gateway.clients import Clients
from gateway.portal import pages
from gateway.portal.sessions import Session
from gateway.replies import iso
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services.domain import statuses
from services.domain.reasons import Reason

ENDPOINTS_SHOWN, DELIVERIES_SHOWN = 50, 25
# Event types that a form can hold; see forms.MAX_FIELDS.
TYPES_SHOWN = 500

# After a form, by the value of ?done=.
_DONE = {
    "created": "The endpoint was created.",
    "changed": "The changes were saved.",
    "rotated": "There is a new secret. The earlier one stays valid for 24 hours.",
    "tested": "A test event is on its way. It appears below in a moment.",
    "retried": "It is sent again.",
}
_REASONS = {reason.value: reason.text for reason in Reason}
_RETRYABLE = frozenset({"failed", "dead"})


class ShownType(NamedTuple):
    """An event type that the portal shows, and whether the endpoint gets it."""

    id: str
    name: str
    is_chosen: bool


class Views:
    """Handlers of pages. Each reads what belongs to the session's application only; the rest is NOT_FOUND."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def endpoints(self, request: web.Request, session: Session) -> web.Response:
        """List the endpoints."""
        return await self.list_page(session, cursor=request.query.get("cursor", "")[:1024])

    async def list_page(
        self, session: Session, *, cursor: str = "", fault: str = "", typed: dict[str, str] | None = None
    ) -> web.Response:
        """Return the page with the endpoints. fault: of the form on it, and what was typed there."""
        application = await self.application(session)
        wire = endpoints_pb2.ListEndpointsRequest(
            tenant_id=session.tenant_id,
            application_id=session.application_id,
            limit=ENDPOINTS_SHOWN,
            cursor=cursor.replace("\0", ""),
        )
        found = await self._clients.call(self._clients.endpoints.ListEndpoints, wire)
        return pages.page(
            "list",
            status=422 if fault else 200,
            session=session,
            application=application.name,
            endpoints=[_shown(one, session) for one in found.endpoints],
            next_cursor=found.next_cursor,
            may_create=session.may_write and not cursor,
            fault=fault,
            typed=typed or {"url": "", "description": ""},
        )

    async def endpoint(self, request: web.Request, session: Session) -> web.Response:
        """Show one endpoint."""
        endpoint = await self.owned(request, session)
        return await self.endpoint_page(session, endpoint, done=_DONE.get(request.query.get("done", ""), ""))

    async def endpoint_page(
        self,
        session: Session,
        endpoint: endpoints_pb2.Endpoint,
        *,
        done: str = "",
        secret: str = "",
        fault: str = "",
        typed: dict[str, str] | None = None,
    ) -> web.Response:
        """Return the page of an endpoint. secret: a new one, shown only here. fault: what is wrong with the form."""
        names: dict[str, Any] = {"tenant_id": session.tenant_id, "endpoint_id": endpoint.id}
        application = await self.application(session)
        state = await self._clients.call(
            self._clients.parking.GetEndpointState, parking_pb2.GetEndpointStateRequest(**names)
        )
        deliveries = await self._clients.call(
            self._clients.ledger.ListEndpointDeliveries,
            ledger_pb2.ListEndpointDeliveriesRequest(**names, limit=DELIVERIES_SHOWN),
        )
        shows_types = application.show_event_types
        return pages.page(
            "endpoint",
            status=422 if fault else 200,
            session=session,
            application=application.name,
            endpoint=_shown(endpoint, session),
            state=webhooks.STATES.get(state.state, "closed"),
            parked=state.parked,
            failing_since=iso(state.failing_since_us),
            shows_types=shows_types,
            types=await self.types(session, endpoint) if shows_types else [],
            deliveries=[_delivery(one) for one in deliveries.deliveries],
            done=done,
            secret=secret,
            fault=fault,
            typed=typed or {"url": endpoint.url, "description": endpoint.description},
        )

    async def delivery(self, request: web.Request, session: Session) -> web.Response:
        """Show one delivery with its attempts."""
        endpoint = await self.owned(request, session)
        found = await self.owned_delivery(request, session, endpoint)
        wire = ledger_pb2.ListAttemptsRequest(tenant_id=session.tenant_id, delivery_id=found.id)
        attempts = await self._clients.call(self._clients.ledger.ListAttempts, wire)
        application = await self.application(session)
        return pages.page(
            "delivery",
            session=session,
            application=application.name,
            endpoint=_shown(endpoint, session),
            delivery=_delivery(found),
            attempts=[_attempt(one) for one in reversed(attempts.attempts)],
            done=_DONE.get(request.query.get("done", ""), ""),
        )

    async def application(self, session: Session) -> catalogs_pb2.Application:
        """Return the session's application."""
        wire = catalogs_pb2.GetApplicationRequest(tenant_id=session.tenant_id, application_id=session.application_id)
        return (await self._clients.call(self._clients.catalogs.GetApplication, wire)).application

    async def owned(self, request: web.Request, session: Session) -> endpoints_pb2.Endpoint:
        """Return the endpoint in the path. Raises NOT_FOUND if it is not of the session's application."""
        endpoint_id = _id(request, "endpoint_id")
        wire = endpoints_pb2.GetEndpointRequest(tenant_id=session.tenant_id, endpoint_id=endpoint_id)
        endpoint = (await self._clients.call(self._clients.endpoints.GetEndpoint, wire)).endpoint
        if endpoint.application_id != session.application_id:
            raise ClarionError(Code.NOT_FOUND, "There is no such endpoint.")
        return endpoint

    async def owned_delivery(
        self, request: web.Request, session: Session, endpoint: endpoints_pb2.Endpoint
    ) -> ledger_pb2.DeliverySummary:
        """Return the delivery in the path. Raises NOT_FOUND if it is not of the endpoint."""
        delivery_id = _id(request, "delivery_id")
        wire = ledger_pb2.GetDeliveryRequest(tenant_id=session.tenant_id, delivery_id=delivery_id)
        answer = await self._clients.call(self._clients.ledger.GetDelivery, wire)
        if answer.tenant_id != session.tenant_id or answer.delivery.endpoint_id != endpoint.id:
            raise ClarionError(Code.NOT_FOUND, "There is no such delivery.")
        return answer.delivery

    async def types(self, session: Session, endpoint: endpoints_pb2.Endpoint) -> list[ShownType]:
        """Return the event types that the endpoint's environment publishes, at most TYPES_SHOWN."""
        wire = catalogs_pb2.ListVisibilityRequest(tenant_id=session.tenant_id, environment_id=endpoint.environment_id)
        found = await self._clients.call(self._clients.catalogs.ListVisibility, wire)
        asked = endpoints_pb2.ListSubscriptionsRequest(tenant_id=session.tenant_id, endpoint_id=endpoint.id)
        subscribed = await self._clients.call(self._clients.endpoints.ListSubscriptions, asked)
        chosen = {one.event_type_id for one in subscribed.subscriptions}
        published = [one for one in found.visibilities if one.published]
        return [
            ShownType(one.event_type_id, one.event_type, one.event_type_id in chosen) for one in published[:TYPES_SHOWN]
        ]


def _id(request: web.Request, name: str) -> str:
    """Return an id in the path. Raises NOT_FOUND for one that cannot exist."""
    value: str = request.match_info[name]
    if not is_uuid(value):
        raise ClarionError(Code.NOT_FOUND, "There is nothing with this id.")
    return value


def _shown(endpoint: endpoints_pb2.Endpoint, session: Session) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "url": endpoint.url if session.may_write else webhooks.without_password(endpoint),
        "description": endpoint.description,
        "kind": webhooks.KIND_NAMES.get(endpoint.kind, "webhook"),
        "mode": webhooks.MODE_NAMES.get(endpoint.mode, "push"),
        "active": endpoint.active,
        "disabled_reason": endpoint.disabled_reason,
        "secrets": [{"last4": one.last4, "valid_until": iso(one.valid_until_us)} for one in endpoint.secrets],
        "created_at": iso(endpoint.created_at_us),
    }


def _delivery(one: ledger_pb2.DeliverySummary) -> dict[str, Any]:
    status = statuses.name(one.status) or "queued"
    return {
        "id": one.id,
        "event_type": one.event_type,
        "status": status,
        "why": _REASONS.get(one.parked or one.reason, one.parked or one.reason),
        "is_waiting": bool(one.parked),
        "attempts": one.attempts,
        "created_at": iso(one.created_at_us),
        "next_attempt_at": iso(one.next_attempt_at_us),
        "is_retryable": status in _RETRYABLE and one.has_content,
    }


def _attempt(one: ledger_pb2.Attempt) -> dict[str, Any]:
    return {
        "number": one.attempt,
        "status": statuses.name(one.status),
        "why": _REASONS.get(one.reason, one.reason),
        "detail": one.detail,
        "time": iso(one.at_us),
        "duration_ms": round(one.duration_us / 1000),
        "http": webhooks.shown_exchange(one.http) if one.HasField("http") else None,
    }
