"""Who asks: the token with which a tool calls the admin API. Its role decides what the tool may do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from cli.api import AdminClient, Refused, Unreachable

_BEARER = "bearer "
_REFUSED = "Send the header `Authorization: Bearer <admin token>`."


class Callers:
    """Opens a client of the admin API for each call of a tool.

    token: the one in the environment of this server. Empty: each HTTP request brings its own.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token

    @asynccontextmanager
    async def client(self, context: "Context[Any, Any]") -> AsyncIterator[AdminClient]:
        """Yield a client with the caller's token. What the API refuses becomes the tool's error, in its own words."""
        request = context.request_context.request
        token = bearer(request) if isinstance(request, Request) else self._token
        async with AdminClient(self._url, token) as client:
            try:
                yield client
            except Refused as error:
                raise ToolError(" ".join([str(error), *error.fields])) from None
            except Unreachable as error:
                raise ToolError(str(error)) from None

    async def is_known(self, token: str) -> bool:
        """Return whether the gateway knows a token. Raises Refused, Unreachable."""
        async with AdminClient(self._url, token) as client:
            try:
                await client.get("/session")
            except Refused as error:
                if error.status == 401:
                    return False
                raise
        return True


class TokensOnly:
    """Lets requests in only with a token that the gateway knows."""

    def __init__(self, app: ASGIApp, callers: Callers) -> None:
        self._app = app
        self._callers = callers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 without a valid token, 503 if the gateway cannot say."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        token = bearer(Request(scope))
        try:
            is_known = bool(token) and await self._callers.is_known(token)
        except (Refused, Unreachable) as error:
            await JSONResponse({"error": str(error)}, status_code=503)(scope, receive, send)
            return
        if not is_known:
            headers = {"WWW-Authenticate": "Bearer"}
            await JSONResponse({"error": _REFUSED}, status_code=401, headers=headers)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def bearer(request: "Request") -> str:
    """Return the token of a request, or an empty text."""
    shown = request.headers.get("Authorization", "")
    return shown[len(_BEARER) :].strip() if shown.lower().startswith(_BEARER) else ""
