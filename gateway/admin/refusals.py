"""Requests of the public APIs that were refused, with the keys that sent them."""

from typing import Any

from aiohttp import web

from clarion.ingest.v1 import ledger_pb2, refusals_pb2
from gateway.admin import forms
from gateway.clients import Clients
from gateway.replies import json_reply
from services.domain.refused import BY_WORD, Refused


class RefusalRoutes:
    """Handlers that ask ingest."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def list_all(self, request: web.Request) -> web.Response:
        """List refused requests, newest first."""
        wire = _filtered(request)
        wire.reason = forms.one_of(request, "reason", BY_WORD)
        wire.limit, wire.cursor = forms.limit(request), forms.cursor(request)
        answer = await self._clients.call(self._clients.refusals.ListRefusals, wire)
        return json_reply(forms.page(request, [shown(one) for one in answer.refusals], answer.next_cursor))

    async def reasons(self, request: web.Request) -> web.Response:
        """Count refused requests by reason."""
        wire = _filtered(request)
        wire.limit, wire.count_reasons = 1, True
        answer = await self._clients.call(self._clients.refusals.ListRefusals, wire)
        return json_reply(forms.page(request, [_counted(one) for one in answer.reasons], ""))


def _filtered(request: web.Request) -> refusals_pb2.ListRefusalsRequest:
    return refusals_pb2.ListRefusalsRequest(
        **forms.scope(request),
        status=_status(request),
        key_id=forms.uuid(request, "key_id"),
        since_us=forms.micros(request, "since"),
        until_us=forms.micros(request, "until"),
    )


def _counted(one: ledger_pb2.ReasonCount) -> dict[str, Any]:
    reason = BY_WORD.get(one.reason, Refused.OTHER)
    return {"reason": reason.value, "text": reason.text, "count": one.count}


def _status(request: web.Request) -> int:
    value = request.query.get("status", "")
    if value and not (value.isascii() and value.isdigit() and 400 <= int(value[:4]) <= 599):
        raise forms.invalid("status", "must be a status of HTTP, such as 401")
    return int(value or 0)


def shown(one: refusals_pb2.Refusals) -> dict[str, Any]:
    """Return refusals of a minute as the API shows them."""
    reason = BY_WORD.get(one.reason, Refused.OTHER)
    return {
        "id": one.id,
        "tenant_id": one.tenant_id or None,
        "key": _key(one.key) if one.HasField("key") else None,
        "network": one.network or None,
        "method": one.method or None,
        "route": one.route,
        "status": one.status,
        "reason": reason.value,
        "text": reason.text,
        "fix": reason.fix,
        "detail": one.detail or None,
        "fields": list(one.fields),
        "count": one.count,
        "first_at": forms.iso(one.first_at_us),
        "last_at": forms.iso(one.last_at_us),
        "trace_id": one.trace_id,
    }


def _key(key: refusals_pb2.RefusedKey) -> dict[str, Any]:
    return {
        "id": key.id or None,
        "name": key.name or None,
        "prefix": key.prefix or None,
        "last4": key.last4 or None,
        "state": key.state,
    }
