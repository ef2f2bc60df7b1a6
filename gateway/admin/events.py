"""Events: search, timelines, and a dry run of routing."""

from typing import Any

from aiohttp import web

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import ledger_pb2
from clarion.router.v1 import router_pb2
from gateway import webhooks
from gateway.admin import forms
from gateway.clients import Clients
from gateway.observing import EVENT_ID, TENANT_ID
from gateway.replies import json_reply


class EventRoutes:
    """Handlers that ask ingest's ledger and the router."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def search(self, request: web.Request) -> web.Response:
        """Search events, newest first."""
        wire = ledger_pb2.ListEventsRequest(
            **forms.scope(request),
            event_type=forms.text(request, "event_type"),
            recipient=forms.text(request, "recipient"),
            status=forms.status(request),
            channel=forms.channel_filter(request),
            reason=forms.text(request, "reason"),
            provider=forms.text(request, "provider"),
            since_us=forms.micros(request, "since"),
            until_us=forms.micros(request, "until"),
            event_id=forms.text(request, "event_id"),
            metadata=forms.labels(request),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.ledger.ListEvents, wire)
        return json_reply(forms.page(request, [shown(event) for event in answer.events], answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return one event with its timeline."""
        event_id = forms.path_id(request)
        request[EVENT_ID] = event_id
        answer = await self._clients.call(self._clients.ledger.GetEvent, ledger_pb2.GetEventRequest(event_id=event_id))
        request[TENANT_ID] = answer.event.tenant_id
        return json_reply({**shown(answer.event), "timeline": [shown_step(step) for step in answer.steps]})

    async def deliveries(self, request: web.Request) -> web.Response:
        """List an event's deliveries, by recipient."""
        event_id = forms.path_id(request)
        request[EVENT_ID] = event_id
        wire = ledger_pb2.ListDeliveriesRequest(
            event_id=event_id,
            status=forms.status(request),
            recipient=forms.text(request, "recipient"),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.ledger.ListDeliveries, wire)
        return json_reply(
            forms.page(request, [_delivery(delivery) for delivery in answer.deliveries], answer.next_cursor)
        )

    async def delivery(self, request: web.Request) -> web.Response:
        """Return one delivery with its timeline."""
        wire = ledger_pb2.GetDeliveryRequest(delivery_id=forms.path_id(request))
        answer = await self._clients.call(self._clients.ledger.GetDelivery, wire)
        request[EVENT_ID], request[TENANT_ID] = answer.delivery.event_id, answer.tenant_id
        return json_reply(
            {
                **_delivery(answer.delivery),
                "tenant_id": answer.tenant_id,
                "timeline": [shown_step(step) for step in answer.steps],
            }
        )

    async def explain(self, request: web.Request) -> web.Response:
        """Return how an event would be routed. Nothing is sent."""
        asked = forms.text(request, "channels")
        named = asked.split(",") if asked else []
        wire = router_pb2.ExplainRouteRequest(
            tenant_id=forms.text(request, "tenant_id"),
            event_type=forms.text(request, "event_type"),
            recipient=event_pb2.Recipient(
                user_id=forms.text(request, "user_id"),
                email=forms.text(request, "email"),
                phone=forms.text(request, "phone"),
                locale=forms.text(request, "locale"),
            ),
            channels=forms.channels(named, "channels"),
        )
        answer = await self._clients.call(self._clients.router.ExplainRoute, wire)
        deliveries = [_planned(delivery) for delivery in answer.route.deliveries]
        return json_reply({"deliveries": deliveries, "reason": answer.route.reason or None})


def shown(event: ledger_pb2.EventSummary) -> dict[str, Any]:
    """Return an event as the API shows it."""
    return {
        "id": event.id,
        "tenant_id": event.tenant_id,
        "event_type": event.event_type,
        "caller_event_id": event.caller_event_id or None,
        "metadata": dict(event.metadata),
        "recipient": _recipient(event.recipient) if event.HasField("recipient") else None,
        "several_recipients": event.several_recipients,
        "trace_id": event.trace_id,
        "test": event.test,
        "replay_of": event.replay_of or None,
        "replayed": event.replayed,
        "has_workflows": event.has_workflows,
        "accepted_at": forms.iso(event.accepted_at_us),
        "due_at": forms.iso(event.due_at_us),
        "waiting": event.waiting,
        "finished_at": forms.iso(event.finished_at_us),
        "reason": event.reason or None,
        "delivery_count": event.delivery_count,
        "counts": {forms.status_name(one.status) or str(one.status): one.count for one in event.counts},
        "deliveries": [_delivery(delivery) for delivery in event.deliveries],
    }


def _recipient(recipient: event_pb2.Recipient) -> dict[str, Any]:
    return {"user_id": recipient.user_id, "email": recipient.email or None, "phone": recipient.phone or None}


def _delivery(delivery: ledger_pb2.DeliverySummary) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "event_id": delivery.event_id,
        "channel": forms.channel_name(delivery.channel),
        "step": delivery.step,
        "recipient": _recipient(delivery.recipient) if delivery.HasField("recipient") else None,
        "endpoint_id": delivery.endpoint_id or None,
        "workflow_id": delivery.workflow_id or None,
        "workflow_run_id": delivery.workflow_run_id or None,
        "status": forms.status_name(delivery.status),
        "reason": delivery.reason or None,
        "parked": delivery.parked or None,
        "provider": delivery.provider or None,
        "attempts": delivery.attempts,
        "updated_at": forms.iso(delivery.updated_at_us),
    }


def shown_step(step: ledger_pb2.TimelineStep) -> dict[str, Any]:
    """Return a step of a timeline as the API shows it."""
    return {
        "step": step.step,
        "time": forms.iso(step.at_us),
        "duration_ms": step.duration_us / 1000,
        "wait_ms": step.wait_us / 1000,
        "prepare_ms": step.prepare_us / 1000,
        "outcome": step.outcome,
        "reason": step.reason or None,
        "detail": step.detail or None,
        "service": step.service,
        "delivery_id": step.delivery_id or None,
        "channel": forms.channel_name(step.channel),
        "attempt": step.attempt or None,
        "replay": step.replay,
        "provider": step.provider or None,
        "provider_id": step.provider_id or None,
        "provider_message_id": step.provider_message_id or None,
        "next_attempt_at": forms.iso(step.next_attempt_at_us),
        "template_version_id": step.template_version_id or None,
        "sms": {"segments": step.sms_segments, "encoding": step.sms_encoding} if step.sms_encoding else None,
        "workflow_id": step.workflow_id or None,
        "workflow_run_id": step.workflow_run_id or None,
        "workflow_step": step.workflow_step or None,
        "http": webhooks.shown_exchange(step.http) if step.HasField("http") else None,
    }


def _planned(delivery: trace_pb2.PlannedDelivery) -> dict[str, Any]:
    return {
        "channel": forms.channel_name(delivery.channel),
        "status": forms.status_name(delivery.status),
        "reason": delivery.reason or None,
        "template_version_id": delivery.template_version_id or None,
        "locale": delivery.locale or None,
        "provider_id": delivery.provider_id or None,
        "endpoint_id": delivery.endpoint_id or None,
    }
