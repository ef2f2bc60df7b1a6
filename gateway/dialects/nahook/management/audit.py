"""What was changed in a workspace, by which token."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from clarion.ingest.v1 import audit_pb2
from gateway import queries
from gateway.admin import forms
from gateway.audit_words import Words
from gateway.dialects.nahook import ids
from gateway.dialects.nahook.management.calls import TOKEN_ACTOR, Call, Route, time
from gateway.queries import Bounds
from gateway.replies import json_reply

PAGE_SIZE = 50
# Of 10,000 entries, which is also how far they are counted.
PAGE = Bounds(default=1, least=1, most=10_000 // PAGE_SIZE)

TOKEN = "token"  # noqa: S105 - a word
# The kinds of ids that the resources of actions have.
_PREFIXES = {
    "application": ids.APPLICATION,
    "delivery": ids.DELIVERY,
    "endpoint": ids.ENDPOINT,
    "environment": ids.ENVIRONMENT,
    "event_type": ids.EVENT_TYPE,
    "portal_session": ids.APPLICATION,
    "subscription": ids.ENDPOINT,
}

# What an action did, in words, and the kind of object that it did it to.
_WORDS = {
    "application.created": Words("created an application", "application"),
    "application.deleted": Words("deleted an application", "application"),
    "application.updated": Words("changed an application", "application"),
    "delivery.retried": Words("retried a delivery", "delivery"),
    "endpoint.created": Words("created an endpoint", "endpoint"),
    "endpoint.deleted": Words("deleted an endpoint", "endpoint"),
    "endpoint.secret_revealed": Words("saw the secret of an endpoint", "endpoint"),
    "endpoint.secret_rotated": Words("rotated the secret of an endpoint", "endpoint"),
    "endpoint.updated": Words("changed an endpoint", "endpoint"),
    "environment.created": Words("created an environment", "environment"),
    "environment.deleted": Words("deleted an environment", "environment"),
    "environment.updated": Words("changed an environment", "environment"),
    "environment.visibility_set": Words("chose whether an environment shows an event type", "environment"),
    "event_type.created": Words("created an event type", "event_type"),
    "event_type.deleted": Words("deleted an event type", "event_type"),
    "event_type.updated": Words("changed an event type", "event_type"),
    "portal_session.created": Words("made a link to the portal of an application", "application"),
    "subscription.created": Words("subscribed an endpoint to event types", "endpoint"),
    "subscription.deleted": Words("unsubscribed an endpoint from an event type", "endpoint"),
}


def words_of(recorded: Sequence[Route]) -> dict[tuple[str, str], Words]:
    """Return the words for the audit log of the admin API, by method and path. recorded: as for routes()."""
    return {(route.method, route.full_path): _WORDS[route.action] for route in recorded if route.action}


def routes(recorded: Sequence[Route]) -> tuple[Route, ...]:
    """Return the route of the audit log. recorded: all routes, those that only read among them."""
    actions = {(route.method, route.full_path): route.action for route in recorded if route.action}

    async def search(call: Call) -> web.Response:
        """List entries, newest first."""
        (page,) = queries.numbers(call.request, page=PAGE)
        wire = audit_pb2.ListAuditEntriesRequest(
            tenant_id=call.tenant_id,
            since_us=forms.micros(call.request, "from"),
            until_us=forms.micros(call.request, "to"),
            calls=[
                audit_pb2.AuditedCall(method=method, route=path)
                for (method, path), action in actions.items()
                if _is_wanted(call.request, action)
            ],
            limit=PAGE_SIZE,
            offset=(page - 1) * PAGE_SIZE,
            count=True,
        )
        answer = audit_pb2.ListAuditEntriesResponse()
        if wire.calls:
            answer = await call.ask(call.backend.clients.audit.ListAuditEntries, wire)
        rows = [shown(entry, actions[entry.method, entry.route]) for entry in answer.entries]
        return json_reply({"data": rows, "total": answer.total, "page": page, "pageSize": PAGE_SIZE})

    query = ("page", "from", "to", "action", "resource_type", "actor_type")
    return (Route("GET", "/audit-logs", search, query=query),)


def _is_wanted(request: web.Request, action: str) -> bool:
    wanted = request.query
    return (
        wanted.get("action", action) == action
        and wanted.get("resource_type", _kind(action)) == _kind(action)
        and wanted.get("actor_type", TOKEN) == TOKEN
    )


def _kind(action: str) -> str:
    return action.partition(".")[0]


def shown(entry: audit_pb2.AuditEntry, action: str) -> dict[str, Any]:
    """Return an entry as the API shows it."""
    named = entry.resource.split("/")
    prefix = _PREFIXES[_kind(action)]
    return {
        "id": ids.public(ids.AUDIT_ENTRY, entry.id),
        "action": action,
        "resourceType": _kind(action),
        "resourceId": next((one for one in named if one.startswith(prefix)), None),
        "actorType": TOKEN,
        "actorId": entry.actor.removeprefix(TOKEN_ACTOR),
        "changedFields": list(entry.fields),
        "status": entry.status or None,
        "createdAt": time(entry.begun_at_us),
    }
