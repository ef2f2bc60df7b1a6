"""Recording the audit log: no change by an operator or a tenant happens before its entry is on disk."""

from http import HTTPStatus

import msgspec
from aiohttp import web

from clarion.ingest.v1 import audit_pb2
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from runtime import logs, telemetry
from runtime.errors import ClarionError

# The change is done by then. Its response waits at most this long, in seconds.
FINISH_DEADLINE_S = 2.0

# The names of the fields in the body, set by the code that decodes it: only those that the body's type has, because
# callers choose the others.
FIELDS = web.RequestKey("audit_fields", tuple)
# Replaces the ids in the path: set where the id of a created object is not that of the response.
RESOURCE = web.RequestKey("audit_resource", str)

_LONGEST = 255
_MOST_FIELDS = 64
# Path parameters that identify a person. They are not stored, because entries outlive an erasure.
_PERSONAL = frozenset({"user_id", "recipient_id", "recipient", "address", "email", "phone"})

log = logs.get(__name__)


class Auditor:
    """Writes audit entries. Safe for concurrent use."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def begin(self, request: web.Request, actor: str, *, email: str = "") -> str:
        """Store an entry and return its id. Raises ClarionError; then the caller must not make the change.

        email: of a console user, so that the log names people.
        """
        wire = audit_pb2.BeginAuditEntryRequest(
            actor=actor,
            method=request.method,
            route=_route(request),
            resource=resource_of(request),
            trace_id=telemetry.current_trace(),
            tenant_id=_tenant(request),
            actor_email=_storable(email),
        )
        answer = await self._clients.call(self._clients.audit.BeginAuditEntry, wire)
        return answer.audit_entry_id

    async def finish(self, request: web.Request, entry_id: str, response: web.StreamResponse) -> None:
        """Add the result to the entry. Never raises: without a result, the entry says that the outcome is unknown."""
        wire = audit_pb2.FinishAuditEntryRequest(
            audit_entry_id=entry_id,
            status=response.status,
            resource=_storable(request.get(RESOURCE, "")) or _resource(request, response),
            tenant_id=_tenant(request),
            fields=[_storable(name) for name in request.get(FIELDS, ())[:_MOST_FIELDS]],
        )
        try:
            await self._clients.call(self._clients.audit.FinishAuditEntry, wire, deadline=FINISH_DEADLINE_S)
        except ClarionError as error:
            log.error(
                "audit_entry_unfinished",
                audit_entry_id=entry_id,
                route=_route(request),
                status=response.status,
                error=error.detail,
            )


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""


def resource_of(request: web.Request) -> str:
    """Return the ids in the request's path, without those of people."""
    parts = ["(a person)" if name in _PERSONAL else value for name, value in request.match_info.items()]
    return _storable("/".join(parts))


def _resource(request: web.Request, response: web.StreamResponse) -> str:
    """Return the ids in the path, and at the end that of the created object."""
    named = resource_of(request)
    if not named:
        return _made(response)
    # A PUT answers with an id that its caller chose, which may be a person's.
    is_creation = request.method == "POST" and response.status == HTTPStatus.CREATED
    made = _made(response) if is_creation else ""
    return _storable(f"{named}/{made}") if made and made not in named.split("/") else named


def _made(response: web.StreamResponse) -> str:
    """Return the id of the created object from the response."""
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes) or response.status >= 400:
        return ""
    try:
        return _storable(msgspec.json.decode(response.body, type=_Made).id)
    except msgspec.DecodeError:
        return ""


class _Made(msgspec.Struct):
    id: str = ""


def _tenant(request: web.Request) -> str:
    """Return the tenant that the request is known to concern; empty: none, or not known yet."""
    if tenant_id := request.get(TENANT_ID, ""):
        return _storable(tenant_id)
    if not _route(request).startswith("/api/v1/admin/tenants/{id}"):
        return ""
    return _storable(request.match_info["id"])


def _storable(text: str) -> str:
    """Return the text in a form that PostgreSQL accepts, so that no path can make its entry fail."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:_LONGEST]
