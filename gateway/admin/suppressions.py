"""Suppressed addresses, and the callback URLs of providers."""

from typing import Any

from aiohttp import web

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import tenants_pb2
from clarion.router.v1 import suppressions_pb2
from clarion.senders.v1 import reports_pb2
from gateway.admin import forms
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from gateway.replies import json_reply
from runtime.errors import ClarionError

# The source of suppressions that operators create.
SOURCE = "operator"
# As the router counts the suppressions of a call that stores one.
_ONLY = "suppressions[0]."

REASONS = {
    name.removeprefix("SUPPRESSION_REASON_").lower(): number
    for name, number in suppressions_pb2.SuppressionReason.items()
    if number
}
_REASON_NAMES = {number: name for name, number in REASONS.items()}


class NewSuppressionBody(forms.Body):
    """The body of POST /suppressions. address: an e-mail address, or for SMS a number such as +254712345678."""

    tenant_id: forms.Id
    channel: forms.Channel
    address: str
    reason: str = "manual"
    detail: str = ""


class SuppressionRoutes:
    """Handlers that ask the router's SuppressionService and, for callbacks, senders."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def create(self, request: web.Request) -> web.Response:
        """Suppress an address. If it is already suppressed for this reason, return the existing suppression."""
        body = await forms.read(request, NewSuppressionBody)
        request[TENANT_ID] = body.tenant_id
        wanted = suppressions_pb2.NewSuppression(
            tenant_id=body.tenant_id,
            channel=forms.channel(body.channel),
            address=body.address,
            reason=_reason(body.reason),
            source=SOURCE,
            detail=body.detail,
        )
        await self._clients.call(
            self._clients.tenants.GetTenant, tenants_pb2.GetTenantRequest(tenant_id=body.tenant_id)
        )
        wire = suppressions_pb2.SuppressRequest(suppressions=[wanted])
        try:
            answer = await self._clients.call(self._clients.suppressions.Suppress, wire)
        except ClarionError as error:
            raise forms.of_only(error, _ONLY) from None
        return json_reply(_shown(answer.suppressions[0]), status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """List suppressions, newest first."""
        named, reason = forms.text(request, "channel"), forms.text(request, "reason")
        wire = suppressions_pb2.ListSuppressionsRequest(
            **forms.scope(request),
            channel=forms.channel(named) if named else event_pb2.CHANNEL_UNSPECIFIED,
            reason=_reason(reason) if reason else suppressions_pb2.SUPPRESSION_REASON_UNSPECIFIED,
            address=forms.text(request, "address"),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.suppressions.ListSuppressions, wire)
        return json_reply(forms.page(request, [_shown(one) for one in answer.suppressions], answer.next_cursor))

    async def lift(self, request: web.Request) -> web.Response:
        """Delete a suppression, so that the address gets messages again."""
        wire = suppressions_pb2.LiftSuppressionRequest(suppression_id=forms.path_id(request))
        answer = await self._clients.call(self._clients.suppressions.LiftSuppression, wire)
        request[TENANT_ID] = answer.suppression.tenant_id
        return web.Response(status=204)

    async def callback(self, request: web.Request) -> web.Response:
        """Return the URL that a provider must send its delivery reports to."""
        wire = reports_pb2.GetCallbackRequest(provider_id=forms.path_id(request))
        answer = await self._clients.call(self._clients.reports.GetCallback, wire)
        return json_reply(
            {
                "url": answer.url,
                "proof": answer.proof,
                "ready": answer.ready,
                "setting": answer.setting or None,
            }
        )


def _reason(name: str) -> suppressions_pb2.SuppressionReason.ValueType:
    if name not in REASONS:
        raise forms.invalid("reason", f"must be one of {', '.join(REASONS)}")
    return REASONS[name]


def _shown(one: suppressions_pb2.Suppression) -> dict[str, Any]:
    return {
        "id": one.id,
        "tenant_id": one.tenant_id,
        "channel": forms.channel_name(one.channel),
        "address": one.masked,
        "reason": _REASON_NAMES[one.reason],
        "source": one.source,
        "detail": one.detail or None,
        "created_at": forms.iso(one.created_at_us),
    }
