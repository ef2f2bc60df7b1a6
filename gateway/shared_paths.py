"""Paths that several dialects have: a request is its dialect's whose key it carries.

Header names and paths say nothing there, so the key decides: its row names its kind. A key that nobody knows, and a
request without one, goes to the dialect that recognizes it, else to the main one, so that its error has the right form.
The body is not looked at: a body of one API with a key of another gets the error of the key's API.
"""

from collections.abc import Sequence
from typing import NamedTuple

from aiohttp import web

from gateway.dialects import Backend, Dialect, RequestHandler, SharedPath, installed
from services.domain.credentials import API_KEY

# Where all dialects with shared paths have their key.
KEY_HEADER = "X-API-Key"


def add_routes(app: web.Application, backend: Backend) -> None:
    """Serve the shared paths of all dialects."""
    handlers: dict[SharedPath, list[_Handler]] = {}
    for dialect in installed():
        for where, handler in dialect.shared(backend).items():
            handlers.setdefault(where, []).append(_Handler(dialect, handler))
    for (method, path), of in handlers.items():
        app.router.add_route(method, path, _deciding(of, backend))


class _Handler(NamedTuple):
    dialect: Dialect
    handle: RequestHandler


def _deciding(among: Sequence[_Handler], backend: Backend) -> RequestHandler:
    if len(among) == 1:
        return among[0].handle

    async def handling(request: web.Request) -> web.StreamResponse:
        return await (await _meant(request, among, backend)).handle(request)

    return handling


async def _meant(request: web.Request, among: Sequence[_Handler], backend: Backend) -> _Handler:
    """Return the one that a request is meant for. among: that of the main dialect first, if it has the path."""
    kind = await backend.authenticator.kind_of(request, request.headers.get(KEY_HEADER, ""))
    if kind:
        for one in among:
            if kind in one.dialect.key_kinds or (one.dialect.is_main and kind == API_KEY):
                return one
    return next((one for one in among if one.dialect.recognizes(request)), among[0])
