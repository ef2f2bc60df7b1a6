"""The paths of the Orqestra API and their handlers."""

import functools
from collections.abc import Mapping

from aiohttp import web

from gateway.dialects import Backend, RequestHandler, SharedPath
from gateway.dialects.orqestra.credentials import API_KEY_HEADER
from gateway.dialects.orqestra.errors import error_reply
from gateway.dialects.orqestra.inbox import InboxRoutes
from gateway.dialects.orqestra.signature import HEADER as SIGNATURE_HEADER
from gateway.dialects.orqestra.trigger import TriggerRoutes

# A user id may contain braces, which {user_id} alone would not match.
_INBOX = "/api/v1/notifications/{tenant_id}/{user_id:[^/]+}"
_TRIGGER = "/api/v1/events/trigger"
_PREFIXES = ("/api/v1/auth/", "/api/v1/notifications/")
# These headers decide who sends the request and what it means.
_ONCE = (
    API_KEY_HEADER,
    "Authorization",
    "Content-Type",
    "Content-Encoding",
    "X-Idempotency-Key",
    SIGNATURE_HEADER,
)


def claims(request: web.Request) -> bool:
    """Return whether the path is one of the Orqestra API, or lies beside one."""
    return request.path == _TRIGGER or request.path.startswith(_PREFIXES)


def add_routes(app: web.Application, backend: Backend) -> None:
    """Serve the Orqestra API, but for its shared path."""
    inbox = InboxRoutes(backend.clients, backend.authenticator)
    for method, path, handler in (
        ("POST", "/api/v1/auth/realtime-token", inbox.issue_token),
        ("GET", _INBOX, inbox.list_notifications),
        ("GET", _INBOX + "/unread-count", inbox.count_unread),
        ("PUT", _INBOX + "/{notification_id}/read", inbox.mark_read),
    ):
        app.router.add_route(method, path, _unambiguous(handler))


def shared(backend: Backend) -> Mapping[SharedPath, RequestHandler]:
    """Return the handler of the trigger, whose path another API may have, too."""
    trigger = TriggerRoutes(backend.authenticator, backend.acceptor)
    return {("POST", _TRIGGER): _unambiguous(trigger.trigger)}


def _unambiguous(handler: RequestHandler) -> RequestHandler:
    """Refuse headers that are given twice: a proxy may have read the other one."""

    @functools.wraps(handler)
    async def handling(request: web.Request) -> web.StreamResponse:
        headers = request.headers
        for name in _ONCE:
            if len(headers.getall(name, ())) > 1:
                return error_reply(400, "Bad Request", f"The header {name} must not be given more than once.")
        return await handler(request)

    return handling
