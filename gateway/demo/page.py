"""The demo page with the inbox of one user, and its files."""

from pathlib import Path

from aiohttp import web

from clarion.realtime.v1 import realtime_pb2
from gateway import looks
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from gateway.policies import sockets_of
from gateway.replies import json_reply
from runtime.errors import ClarionError, Code

_FOLDER = Path(__file__).parent
_FILES = {
    "demo.js": "text/javascript",
    "outbox.js": "text/javascript",
    "demo.css": "text/css",
    "bell.svg": "image/svg+xml",
}


class DemoPageRoutes:
    """Handlers for the page and its realtime token. The tenant's key is never sent to the browser."""

    def __init__(self, clients: Clients, tenant_id: str, user_id: str) -> None:
        self._clients = clients
        self._tenant_id = tenant_id
        self._user_id = user_id
        self._index = (_FOLDER / "static" / "index.html").read_bytes()

    async def index(self, request: web.Request) -> web.Response:
        """Return the page itself."""
        headers = {"Content-Security-Policy": _policy(request.host)}
        return web.Response(body=self._index, content_type="text/html", charset="utf-8", headers=headers)

    async def static(self, request: web.Request) -> web.Response:
        """Return a file of the page."""
        name = request.match_info["name"]
        content_type = _FILES.get(name)
        if content_type is None:
            raise web.HTTPNotFound
        path = _FOLDER / "static" / name
        body = looks.style(path) if content_type == "text/css" else path.read_bytes()
        headers = {"Cache-Control": "no-cache"}
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)

    async def open_session(self, request: web.Request) -> web.Response:
        """Return {tenant_id, user_id, token, channels} of the demo user."""
        request[TENANT_ID] = self._tenant_id
        wire = realtime_pb2.IssueTokenRequest(tenant_id=self._tenant_id, user_id=self._user_id)
        try:
            answer = await self._clients.call(self._clients.realtime.IssueToken, wire)
        except ClarionError as error:
            if error.code in (Code.UNAUTHENTICATED, Code.NOT_FOUND):
                return json_reply({"message": "The tenant of this demo does not exist or is not active."}, status=404)
            return json_reply(
                {"message": f"The demo is temporarily unavailable: {error.code.name.lower()}. Try again shortly."},
                status=503,
            )
        return json_reply(
            {
                "tenant_id": self._tenant_id,
                "user_id": self._user_id,
                "token": answer.token,
                "channels": list(answer.channels),
            }
        )


def _policy(host: str) -> str:
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self'{sockets_of(host)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
