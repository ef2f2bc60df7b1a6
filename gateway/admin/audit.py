"""Searching the audit log: who changed what, when, and with what result."""

import functools
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from clarion.ingest.v1 import audit_pb2
from gateway.admin import audit_words, forms
from gateway.admin.audit_names import AuditNames
from gateway.admin.audit_sentences import Names, actor, sentence, things
from gateway.audit_words import KINDS, Words
from gateway.clients import Clients
from gateway.replies import json_reply


class AuditRoutes:
    """Handlers of /audit, which ask ingest's AuditService, and the others for names."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._names = AuditNames(clients)

    async def search(self, request: web.Request) -> web.Response:
        """List entries, newest first."""
        kind = forms.one_of(request, "kind", KINDS)
        wire = audit_pb2.ListAuditEntriesRequest(
            actor=forms.text(request, "actor"),
            **forms.scope(request),
            resource=forms.text(request, "resource"),
            method=forms.text(request, "method"),
            since_us=forms.micros(request, "since"),
            until_us=forms.micros(request, "until"),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
            calls=[
                audit_pb2.AuditedCall(method=method, route=route)
                for (method, route), words in _words().items()
                if kind and words.kind == kind
            ],
        )
        answer = await self._clients.call(self._clients.audit.ListAuditEntries, wire)
        names = await self._names.find(things(answer.entries, _words()))
        return json_reply(forms.page(request, [_shown(entry, names) for entry in answer.entries], answer.next_cursor))


@functools.cache
def _words() -> Mapping[tuple[str, str], Words]:
    return audit_words.all_words()


def _shown(entry: audit_pb2.AuditEntry, names: Names) -> dict[str, Any]:
    words = _words().get((entry.method, entry.route))
    parts = sentence(entry, words, names)
    return {
        "id": entry.id,
        "text": "".join(part.text for part in parts),
        "sentence": [part.shown() for part in parts],
        "kind": words.kind if words else None,
        "actor": entry.actor,
        "actor_name": actor(entry, names).text,
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
