"""Alerts to the operator: where they go, a test, and the outages that they tell of."""

from collections.abc import Collection, Sequence
from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta, field

from clarion.senders.v1 import alerts_pb2
from gateway.admin import forms
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from gateway.replies import json_reply
from services.domain.reasons import text_of

KINDS = {
    "provider": alerts_pb2.OUTAGE_KIND_PROVIDER,
    "endpoint": alerts_pb2.OUTAGE_KIND_ENDPOINT,
    "dead_letters": alerts_pb2.OUTAGE_KIND_DEAD_LETTERS,
    "quota": alerts_pb2.OUTAGE_KIND_QUOTA,
}
NAMES = {number: name for name, number in KINDS.items()}
# Of outages whose reason is none of a delivery's.
_TEXTS = {
    "endpoint_disabled": "The endpoint failed for too long, or answered that it is gone, and was disabled.",
    "dead_letters": "Many deliveries of the tenant died within an hour.",
    "quota_near": "Nearly as many events of the tenant are unfinished as may be.",
    "quota": "As many events of the tenant are unfinished as may be.",
}

Kind = Annotated[str, Meta(extra_json_schema={"enum": list(KINDS)})]


# Senders wait for ingest, which stores the events.
TEST_DEADLINE_S = 8.0


class NewAlertSettingsBody(forms.Body):
    """The body of PUT /alerts: the whole settings."""

    # Alerts are events of this tenant; null: there are none.
    tenant_id: Annotated[forms.Id, Meta(min_length=1)] | None
    # E-mail addresses, or ids of recipients that the tenant stores.
    recipients: Annotated[list[str], Meta(max_length=20)] = field(default_factory=list)
    # Empty: all.
    kinds: list[Kind] = field(default_factory=list)


class AlertRoutes:
    """Handlers that ask the senders."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def get(self, _request: web.Request) -> web.Response:
        """Return where alerts go."""
        answer = await self._clients.call(self._clients.alerts.GetAlertSettings, alerts_pb2.GetAlertSettingsRequest())
        return json_reply(shown(answer.settings))

    async def put(self, request: web.Request) -> web.Response:
        """Replace where alerts go."""
        body = await forms.read(request, NewAlertSettingsBody)
        kinds = kinds_of(body.kinds, KINDS)
        if body.tenant_id:
            tenant = await forms.check_tenant(request, self._clients, body.tenant_id)
            if not tenant.active:
                raise forms.invalid("tenant_id", "must be a tenant that is active")
        settings = alerts_pb2.AlertSettings(tenant_id=body.tenant_id or "", recipients=body.recipients, kinds=kinds)
        wire = alerts_pb2.SetAlertSettingsRequest(settings=settings)
        answer = await self._clients.call(self._clients.alerts.SetAlertSettings, wire)
        return json_reply(shown(answer.settings))

    async def test(self, _request: web.Request) -> web.Response:
        """Send a test alert."""
        answer = await self._clients.call(
            self._clients.alerts.TestAlert, alerts_pb2.TestAlertRequest(), deadline=TEST_DEADLINE_S
        )
        return json_reply({"event_ids": list(answer.event_ids)}, status=202)

    async def outages(self, request: web.Request) -> web.Response:
        """List outages, newest first."""
        wire = alerts_pb2.ListOutagesRequest(
            **forms.scope(request),
            open=forms.flag(request, "open"),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        if wire.tenant_id:
            request[TENANT_ID] = wire.tenant_id
        answer = await self._clients.call(self._clients.alerts.ListOutages, wire)
        return json_reply(forms.page(request, [shown_outage(one) for one in answer.outages], answer.next_cursor))


def kinds_of(words: Sequence[str], known: Collection[str]) -> "list[alerts_pb2.OutageKind.ValueType]":
    """Return the kinds of outages that a body names. Raises INVALID for one that is not known."""
    for place, word in enumerate(words):
        if word not in known:
            raise forms.invalid(f"kinds[{place}]", f"must be one of {', '.join(known)}")
    return [KINDS[word] for word in words]


def shown(settings: alerts_pb2.AlertSettings) -> dict[str, Any]:
    """Return the settings as the API shows them."""
    return {
        "tenant_id": settings.tenant_id or None,
        "recipients": list(settings.recipients),
        "kinds": [NAMES[kind] for kind in settings.kinds if kind in NAMES],
    }


def shown_outage(outage: alerts_pb2.Outage) -> dict[str, Any]:
    """Return an outage as the API shows it."""
    return {
        "id": outage.id,
        "kind": NAMES.get(outage.kind, "provider"),
        "tenant_id": outage.tenant_id,
        "object_id": outage.object_id,
        "channel": forms.channel_name(outage.channel),
        "name": outage.name or None,
        "reason": outage.reason,
        "text": _TEXTS.get(outage.reason) or text_of(outage.reason),
        "detail": outage.detail or None,
        "began_at": forms.iso(outage.began_at_us),
        "ended_at": forms.iso(outage.ended_at_us),
    }
