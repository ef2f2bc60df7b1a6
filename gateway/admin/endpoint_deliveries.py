"""Deliveries to endpoints: what was sent, each attempt with its HTTP exchange, and sending again."""

from typing import Annotated, Any, Literal

from aiohttp import web
from msgspec import Meta

from clarion.common.v1 import trace_pb2
from clarion.ingest.v1 import ledger_pb2, replays_pb2
from gateway import webhooks
from gateway.admin import forms, replay
from gateway.admin.endpoints import existing_endpoint, named_endpoint
from gateway.admin.event_types import TypeName
from gateway.clients import Clients
from gateway.observing import EVENT_ID
from gateway.replies import json_reply
from services.domain.reasons import text_of

RecoverableStatus = Literal["failed", "dead", "skipped"]


class RecoveryBody(forms.Body):
    """The body of POST …/recover. until: now if it is absent."""

    since: replay.Moment
    until: replay.Moment | None = None
    # Deliveries that ended so are sent again, under their ids.
    status: RecoverableStatus = "dead"
    event_type: TypeName | None = None
    per_second: Annotated[int, Meta(ge=1, le=1000)] = 50


class BackfillBody(forms.Body):
    """The body of POST …/backfill. until: now if it is absent. event_type: absent: those that it subscribes to."""

    since: replay.Moment
    until: replay.Moment | None = None
    event_type: TypeName | None = None
    per_second: Annotated[int, Meta(ge=1, le=1000)] = 50


class EndpointDeliveryRoutes:
    """Handlers that ask ingest's ledger and its replays, always for the tenant in the path."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def list_of_endpoint(self, request: web.Request) -> web.Response:
        """List the deliveries of one endpoint, newest first; also of one that was deleted."""
        return await self._list(request, **await named_endpoint(request, self._clients))

    async def list_of_tenant(self, request: web.Request) -> web.Response:
        """List the deliveries of all endpoints of a tenant, newest first."""
        return await self._list(request, tenant_id=await forms.path_tenant(request, self._clients))

    async def _list(self, request: web.Request, *, tenant_id: str, endpoint_id: str = "") -> web.Response:
        status = forms.status(request)
        wire = ledger_pb2.ListEndpointDeliveriesRequest(
            tenant_id=tenant_id,
            endpoint_id=endpoint_id,
            statuses=[status] if status else [],
            event_type=forms.text(request, "event_type"),
            metadata=forms.labels(request),
            since_us=forms.micros(request, "since"),
            until_us=forms.micros(request, "until"),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.ledger.ListEndpointDeliveries, wire)
        return json_reply(forms.page(request, list(map(shown, answer.deliveries)), answer.next_cursor))

    async def attempts(self, request: web.Request) -> web.Response:
        """List the attempts of a delivery, oldest first."""
        wire = ledger_pb2.ListAttemptsRequest(**await self._delivery(request))
        answer = await self._clients.call(self._clients.ledger.ListAttempts, wire)
        return json_reply(forms.page(request, list(map(shown_attempt, answer.attempts)), ""))

    async def retry(self, request: web.Request) -> web.Response:
        """Send a delivery again under its id, from its first attempt."""
        wire = ledger_pb2.RetryDeliveryRequest(**await self._delivery(request))
        answer = await self._clients.call(self._clients.ledger.RetryDelivery, wire)
        request[EVENT_ID] = answer.delivery.event_id
        return json_reply(shown(answer.delivery), status=202)

    async def recover(self, request: web.Request) -> web.Response:
        """Send again, in the background, what ended with a status since a time."""
        body = await forms.read(request, RecoveryBody)
        return await self._replay(request, body, replay.STATUSES[body.status])

    async def backfill(self, request: web.Request) -> web.Response:
        """Send, in the background, the events since a time that the endpoint has not got."""
        body = await forms.read(request, BackfillBody)
        return await self._replay(request, body, trace_pb2.DELIVERY_STATUS_UNSPECIFIED)

    async def _replay(
        self,
        request: web.Request,
        body: RecoveryBody | BackfillBody,
        status: "trace_pb2.DeliveryStatus.ValueType",
    ) -> web.Response:
        wire = replays_pb2.StartReplayRequest(
            **await existing_endpoint(request, self._clients),
            since_us=forms.moment(body.since, "since"),
            until_us=forms.moment(body.until, "until") if body.until is not None else 0,
            status=status,
            event_type=body.event_type or "",
            per_second=body.per_second,
        )
        answer = await self._clients.call(self._clients.replays.StartReplay, wire)
        return json_reply(replay.shown(answer.replay), status=202)

    async def _delivery(self, request: web.Request) -> dict[str, str]:
        """Return the fields that identify the delivery in the path. Raises NOT_FOUND if it cannot exist."""
        delivery_id = forms.path_uuid(request, "delivery_id")
        return {"tenant_id": await forms.path_tenant(request, self._clients), "delivery_id": delivery_id}


def shown(delivery: ledger_pb2.DeliverySummary) -> dict[str, Any]:
    """Return a delivery to an endpoint as the API shows it."""
    return {
        "id": delivery.id,
        "event_id": delivery.event_id,
        "endpoint_id": delivery.endpoint_id,
        "event_type": delivery.event_type,
        "caller_event_id": delivery.caller_event_id or None,
        "metadata": dict(delivery.metadata),
        "status": forms.status_name(delivery.status),
        "reason": delivery.reason or None,
        "reason_text": text_of(why) if (why := delivery.reason or delivery.parked) else None,
        "parked": delivery.parked or None,
        "attempts": delivery.attempts,
        "created_at": forms.iso(delivery.created_at_us),
        "first_attempt_at": forms.iso(delivery.first_attempt_at_us),
        "sent_at": forms.iso(delivery.sent_at_us),
        "next_attempt_at": forms.iso(delivery.next_attempt_at_us),
        "updated_at": forms.iso(delivery.updated_at_us),
        "has_content": delivery.has_content,
    }


def shown_attempt(attempt: ledger_pb2.Attempt) -> dict[str, Any]:
    """Return an attempt as the API shows it."""
    return {
        "id": attempt.id,
        "attempt": attempt.attempt,
        "replay": attempt.replay,
        "status": forms.status_name(attempt.status),
        "reason": attempt.reason or None,
        "reason_text": text_of(attempt.reason) if attempt.reason else None,
        "detail": attempt.detail or None,
        "time": forms.iso(attempt.at_us),
        "duration_ms": attempt.duration_us / 1000,
        "next_attempt_at": forms.iso(attempt.next_attempt_at_us),
        "http": webhooks.shown_exchange(attempt.http) if attempt.HasField("http") else None,
    }
