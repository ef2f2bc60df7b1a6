"""The paths of Sendmator's API and their handlers."""

import re
from collections.abc import Mapping

from aiohttp import web

from clarion.common.v1 import event_pb2
from gateway.audit_words import Words
from gateway.dialects import Backend, RequestHandler, SharedPath
from gateway.dialects.sendmator.calls import BASE, Api, Route, serve
from gateway.dialects.sendmator.contacts import calls as contacts
from gateway.dialects.sendmator.contacts import listing as contact_lists
from gateway.dialects.sendmator.contacts import wishes
from gateway.dialects.sendmator.events import calls as events
from gateway.dialects.sendmator.messages import calls as messages
from gateway.dialects.sendmator.messages import codes
from gateway.dialects.sendmator.triggers import calls as triggers
from gateway.dialects.sendmator.workflows import calls as workflows

_EMAIL, _SMS = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS
_PAGE = ("page", "limit")
_JOBS = (*_PAGE, "cursor", "starting_after", "status")
_CONTACT = "/contacts/{contact_id}"
_EXTERNAL = "/contacts/external/{external_id}"
_PREFERENCES = f"{_CONTACT}/preferences"

# Another API may have this path, too.
SYNCHRONOUS = Route("POST", "/events/trigger", events.trigger, needs_team=True)
ROUTES = (
    Route("POST", "/events/send", events.send, needs_team=True),
    Route("GET", "/triggers/{trigger_id}", triggers.get),
    Route("GET", "/triggers/{trigger_id}/workflow", triggers.workflow),
    Route("GET", "/triggers/{trigger_id}/direct", triggers.direct),
    Route("POST", "/workflows/trigger", events.trigger_workflow),
    Route("GET", "/workflows", workflows.list_all, query=workflows.QUERY),
    Route("POST", "/workflows", workflows.create, action="workflow.created"),
    Route("GET", "/workflows/{workflow_id}", workflows.get),
    Route("PUT", "/workflows/{workflow_id}", workflows.update, action="workflow.updated"),
    Route("PATCH", "/workflows/{workflow_id}", workflows.update, action="workflow.updated"),
    Route("DELETE", "/workflows/{workflow_id}", workflows.delete, action="workflow.deleted"),
    Route("POST", "/messages/send", messages.sending(_EMAIL)),
    Route("GET", "/messages", triggers.listing(_EMAIL, "messages"), query=_PAGE),
    Route("GET", "/messages/executions/{execution_id}", triggers.execution),
    Route("GET", "/messages/executions/{execution_id}/jobs", triggers.jobs, query=_JOBS),
    Route("POST", "/sms/send", messages.sending(_SMS)),
    Route("GET", "/sms/executions", triggers.listing(_SMS, "executions"), query=_PAGE),
    Route("GET", "/sms/executions/{execution_id}", triggers.execution),
    Route("GET", "/sms/executions/{execution_id}/jobs", triggers.jobs, query=_JOBS),
    Route("POST", "/whatsapp/send", messages.whatsapp),
    Route("GET", "/whatsapp/executions", messages.whatsapp, query=_PAGE),
    Route("GET", "/whatsapp/executions/{execution_id}", messages.whatsapp),
    Route("GET", "/whatsapp/executions/{execution_id}/jobs", messages.whatsapp, query=_JOBS),
    Route("POST", "/otp/send", codes.send),
    Route("POST", "/otp/verify", codes.verify),
    Route("POST", "/otp/resend", codes.resend),
    Route("POST", "/contacts", contacts.create),
    Route("GET", "/contacts", contact_lists.list_all, query=contact_lists.QUERY),
    # Before the paths with an id in this place.
    Route("POST", "/contacts/bulk", contacts.bulk),
    Route("GET", _EXTERNAL, contacts.get_external),
    Route("PUT", _EXTERNAL, contacts.upsert),
    Route("PATCH", f"{_EXTERNAL}/device-token", contacts.set_device_token),
    Route("GET", "/contacts/by-email/{email}", contacts.get_by_email),
    Route("GET", _CONTACT, contacts.get),
    Route("PUT", _CONTACT, contacts.update),
    Route("PATCH", _CONTACT, contacts.update),
    Route("DELETE", _CONTACT, contacts.delete, query=("hard",)),
    Route("POST", f"{_CONTACT}/tags", contacts.add_tags),
    Route("DELETE", f"{_CONTACT}/tags", contacts.remove_tags),
    Route("POST", f"{_CONTACT}/unsubscribe", contacts.unsubscribe),
    Route("POST", f"{_CONTACT}/resubscribe", contacts.resubscribe),
    Route("GET", _PREFERENCES, wishes.get),
    Route("PATCH", _PREFERENCES, wishes.change),
    Route("DELETE", _PREFERENCES, wishes.refuse_all),
    Route("POST", f"{_PREFERENCES}/subscribe-all", wishes.want_all),
    Route("DELETE", f"{_PREFERENCES}/{{channel}}", wishes.refuse_channel),
    Route("PATCH", f"{_PREFERENCES}/{{channel}}/{{category}}", wishes.change_one),
)
_WORDS_IN_PATHS = "trigger|bulk|external|by-email|subscribe-all"
_WORDS = {
    "workflow.created": Words("created a workflow", "workflow"),
    "workflow.updated": Words("changed a workflow", "workflow"),
    "workflow.deleted": Words("deleted a workflow", "workflow"),
}

_PREFIXES = tuple(
    f"{BASE}/{name}" for name in ("events", "triggers", "workflows", "messages", "sms", "whatsapp", "otp", "contacts")
)


def claims(request: web.Request) -> bool:
    """Return whether the path is one of this API, or lies beside one."""
    return any(request.path == prefix or request.path.startswith(f"{prefix}/") for prefix in _PREFIXES)


def add_routes(app: web.Application, backend: Backend) -> None:
    """Serve the API, but for its shared path."""
    api = Api.of(backend)
    for route in ROUTES:
        app.router.add_route(route.method, _pattern(route.full_path), serve(route, api))


def shared(backend: Backend) -> Mapping[SharedPath, RequestHandler]:
    """Return the handler of the synchronous event, whose path another API may have, too."""
    return {(SYNCHRONOUS.method, SYNCHRONOUS.full_path): serve(SYNCHRONOUS, Api.of(backend))}


def audited() -> Mapping[tuple[str, str], Words]:
    """Return what recorded calls did, by method and path."""
    return {(route.method, route.full_path): _WORDS[route.action] for route in ROUTES if route.action}


def _pattern(path: str) -> str:
    """Return a path for the router: no id of ours is a word that stands in its place in another path.

    Otherwise 405 would allow the methods of both. An id may contain braces, which {name} alone would not match.
    """
    for name in ("contact_id", "workflow_id", "channel"):
        path = path.replace(f"{{{name}}}", f"{{{name}:(?!(?:{_WORDS_IN_PATHS})(?:/|$))[^/]+}}")
    return re.sub(r"\{(\w+)\}", r"{\1:[^/]+}", path)
