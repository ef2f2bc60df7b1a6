"""Orqestra's paths, and who answers them."""

import functools
from collections.abc import Awaitable, Callable

from aiohttp import HttpVersion11, web

from gateway.accepting import Acceptor
from gateway.authentication import Authenticator
from gateway.clients import Clients
from gateway.dialects.orqestra.errors import error_reply
from gateway.dialects.orqestra.inbox import Inbox
from gateway.dialects.orqestra.trigger import Trigger
from gateway.observing import HEADERS

# A caller's own id may hold braces, which {user_id} alone would not match.
_INBOX = "/api/v1/notifications/{tenant_id}/{user_id:[^/]+}"
# These decide whose request it is and what it means.
_ONCE = (
    "x-api-key",
    "Authorization",
    "Content-Type",
    "Content-Encoding",
    "X-Idempotency-Key",
    "X-Orqestra-Signature",
)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_routes(app: web.Application, clients: Clients, authenticator: Authenticator, acceptor: Acceptor) -> None:
    """Serve the dialect."""
    trigger = Trigger(authenticator, acceptor)
    inbox = Inbox(clients, authenticator)
    for method, path, handler in (
        ("POST", "/api/v1/events/trigger", trigger.trigger),
        ("POST", "/api/v1/auth/realtime-token", inbox.issue_token),
        ("GET", _INBOX, inbox.list_notifications),
        ("GET", _INBOX + "/unread-count", inbox.count_unread),
        ("PUT", _INBOX + "/{notification_id}/read", inbox.mark_read),
    ):
        app.router.add_route(method, path, _unambiguous(handler), expect_handler=_expect)


def _unambiguous(handler: _Handler) -> _Handler:
    """Refuse a header that stands twice: what is in front of us may have read the other one."""

    @functools.wraps(handler)
    async def handling(request: web.Request) -> web.StreamResponse:
        headers = request.headers
        for name in _ONCE:
            if len(headers.getall(name, ())) > 1:
                return error_reply(400, "Bad Request", f"The header {name} must not be given more than once.")
        return await handler(request)

    return handling


async def _expect(request: web.Request) -> web.StreamResponse | None:
    """Tell a client that waits for it to go on; aiohttp's own handler refuses other expectations in plain text."""
    if request.headers.get("Expect", "").lower() != "100-continue":
        reply = error_reply(417, "Expectation Failed", "Of expectations only 100-continue is met.")
        reply.headers.update(HEADERS)
        return reply
    if request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # What was written counts as the beginning of the answer otherwise.
        request.writer.output_size = 0
    return None
