"""The paths of the inbox API and of the web component.

A page of any origin may call them: what opens an inbox is the realtime token in `Authorization`, which a page only has
if its own server gave it one. Cookies are not looked at.
"""

import functools
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from gateway import problems
from gateway.authentication import CachedAuthenticator
from gateway.clients import Clients
from gateway.cursors import Cursors
from gateway.inbox import component
from gateway.inbox.handlers import LIMIT, InboxRoutes
from runtime.errors import ClarionError, Code

__all__ = ["INBOX", "LIMIT", "add_routes"]

INBOX = "/api/v1/inbox/{tenant_id}/{user_id}"
# A user id may contain braces, which {user_id} alone would not match.
_PATH = "/api/v1/inbox/{tenant_id}/{user_id:[^/]+}"

_ORIGINS = {"Access-Control-Allow-Origin": "*"}
_ANSWER = {**_ORIGINS, "Access-Control-Expose-Headers": "Retry-After, X-Trace-Id"}
_PREFLIGHT = {
    **_ORIGINS,
    "Access-Control-Allow-Methods": "GET, PUT",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "7200",
}

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_routes(app: web.Application, clients: Clients, authenticator: CachedAuthenticator, cursors: Cursors) -> None:
    """Serve the inbox API and the web component."""
    routes = InboxRoutes(clients, authenticator, cursors)
    for method, path, handler in (
        ("GET", _PATH, routes.list_page),
        ("PUT", f"{_PATH}/read", routes.mark_all_read),
        ("PUT", f"{_PATH}/{{notification_id}}/read", routes.mark_read),
        ("*", "/api/v1/inbox/{rest:.*}", _other),
    ):
        app.router.add_route(method, path, _for_pages(problems.answering(handler, name="inbox"), _ANSWER))
    app.router.add_get(component.PATH, _for_pages(component.serve, _ORIGINS))
    app.router.add_get(component.INTEGRITY_PATH, _for_pages(component.serve_integrity, _ORIGINS))


async def _other(request: web.Request) -> web.StreamResponse:
    """Answer what browsers ask before they call from another origin; nothing else is here."""
    if request.method == "OPTIONS":
        return web.Response(status=204, headers=_PREFLIGHT)
    raise ClarionError(Code.NOT_FOUND, f"Use GET {INBOX}, PUT {INBOX}/read or PUT {INBOX}/{{notification_id}}/read.")


def _for_pages(handler: _Handler, headers: Mapping[str, str]) -> _Handler:
    """Let pages of every origin read the response, errors included."""

    @functools.wraps(handler)
    async def handling(request: web.Request) -> web.StreamResponse:
        response = await handler(request)
        response.headers.update(headers)
        return response

    return handling
