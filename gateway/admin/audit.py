"""Searching the audit log: who changed what, when, and with what result."""

from typing import Any

from aiohttp import web

from clarion.ingest.v1 import audit_pb2
from gateway.admin import forms
from gateway.clients import Clients
from gateway.replies import json_reply


class AuditRoutes:
    """Handlers of /audit, which ask ingest's AuditService."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def search(self, request: web.Request) -> web.Response:
        """List entries, newest first."""
        wire = audit_pb2.ListAuditEntriesRequest(
            actor=forms.text(request, "actor"),
            **forms.scope(request),
            resource=forms.text(request, "resource"),
            method=forms.text(request, "method"),
            since_us=forms.micros(request, "since"),
            until_us=forms.micros(request, "until"),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.audit.ListAuditEntries, wire)
        return json_reply(forms.page(request, [_shown(entry) for entry in answer.entries], answer.next_cursor))


def _shown(entry: audit_pb2.AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "actor": entry.actor,
        "actor_email": entry.actor_email or None,
        "method": entry.method,
        "route": entry.route,
        "resource": entry.resource or None,
        "tenant_id": entry.tenant_id or None,
        "fields": list(entry.fields),
        "trace_id": entry.trace_id,
        "status": entry.status or None,
        "begun_at": forms.iso(entry.begun_at_us),
        "finished_at": forms.iso(entry.finished_at_us),
    }
