"""A tenant's own alerts, about its providers and endpoints: where they go, and a test."""

from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta, field

from clarion.senders.v1 import alerts_pb2
from gateway.admin import forms
from gateway.admin.alerts import NAMES, TEST_DEADLINE_S, kinds_of
from gateway.clients import Clients
from gateway.replies import json_reply

KINDS_OF_TENANTS = ("provider", "endpoint")

Kind = Annotated[str, Meta(extra_json_schema={"enum": list(KINDS_OF_TENANTS)})]


class NewTenantAlertsBody(forms.Body):
    """The body of PUT /tenants/{id}/alerts: the whole settings."""

    # E-mail addresses, or ids of recipients that the tenant stores.
    recipients: Annotated[list[str], Meta(max_length=20)] = field(default_factory=list)
    # Empty: both.
    kinds: list[Kind] = field(default_factory=list)
    # Whether the tenant's endpoints get them that subscribe to their types.
    endpoints: bool = False


class TenantAlertRoutes:
    """Handlers that ask the senders about one tenant."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def get(self, request: web.Request) -> web.Response:
        """Return where the tenant's alerts go."""
        tenant_id = await forms.path_tenant(request, self._clients)
        wire = alerts_pb2.GetAlertSettingsRequest(tenant_id=tenant_id)
        return json_reply(_shown((await self._clients.call(self._clients.alerts.GetAlertSettings, wire)).settings))

    async def put(self, request: web.Request) -> web.Response:
        """Replace where the tenant's alerts go."""
        body = await forms.read(request, NewTenantAlertsBody)
        kinds = kinds_of(body.kinds, KINDS_OF_TENANTS)
        tenant_id = await forms.path_tenant(request, self._clients)
        settings = alerts_pb2.AlertSettings(
            tenant_id=tenant_id, recipients=body.recipients, kinds=kinds, endpoints=body.endpoints
        )
        wire = alerts_pb2.SetAlertSettingsRequest(tenant_id=tenant_id, settings=settings)
        return json_reply(_shown((await self._clients.call(self._clients.alerts.SetAlertSettings, wire)).settings))

    async def test(self, request: web.Request) -> web.Response:
        """Send a test alert to those of the settings."""
        wire = alerts_pb2.TestAlertRequest(tenant_id=await forms.path_tenant(request, self._clients))
        answer = await self._clients.call(self._clients.alerts.TestAlert, wire, deadline=TEST_DEADLINE_S)
        return json_reply({"event_ids": list(answer.event_ids)}, status=202)


def _shown(settings: alerts_pb2.AlertSettings) -> dict[str, Any]:
    return {
        "recipients": list(settings.recipients),
        "kinds": [NAMES[kind] for kind in settings.kinds if kind in NAMES],
        "endpoints": settings.endpoints,
    }
