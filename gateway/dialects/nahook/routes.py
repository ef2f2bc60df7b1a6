"""The paths of Nahook's API and their handlers."""

import functools

from aiohttp import web

from gateway.dialects import Backend
from gateway.dialects.nahook.errors import RequestHandler, answers, bad_request
from gateway.dialects.nahook.ingest.calls import IngestRoutes
from gateway.dialects.nahook.management import (
    applications,
    audit,
    deliveries,
    endpoints,
    environments,
    event_types,
    portal,
)
from gateway.dialects.nahook.management.calls import Route, serve

_PREFIXES = ("/api/ingest", "/management", "/api/workspaces")
# These headers decide who sends the request and what it means.
_ONCE = ("Authorization", "Content-Type", "Content-Encoding")

_RECORDED: tuple[Route, ...] = (
    *endpoints.ROUTES,
    *event_types.ROUTES,
    *applications.ROUTES,
    *portal.ROUTES,
    *environments.ROUTES,
    *deliveries.ROUTES,
)
ROUTES = (*_RECORDED, *audit.routes(_RECORDED))


def claims(request: web.Request) -> bool:
    """Return whether the path is one of this API, or lies beside one."""
    return any(request.path == prefix or request.path.startswith(f"{prefix}/") for prefix in _PREFIXES)


def add_routes(app: web.Application, backend: Backend) -> None:
    """Serve the API."""
    ingest = IngestRoutes(backend)
    for path, handler in (
        # Before the paths with an id or a type in this place.
        ("/api/ingest/batch", ingest.send_batch),
        ("/api/ingest/event/batch", ingest.trigger_batch),
        ("/api/ingest/event/{event_type}", ingest.trigger),
        ("/api/ingest/{endpoint_id}", ingest.send),
    ):
        app.router.add_route("POST", _pattern(path), _unambiguous(answers(handler)))
    for route in ROUTES:
        app.router.add_route(route.method, _pattern(route.full_path), _unambiguous(serve(route, backend)))


def _pattern(path: str) -> str:
    """Return a path for the router. An id in it may contain braces, which {name} alone would not match."""
    return path.replace("}", ":[^/]+}")


def _unambiguous(handler: RequestHandler) -> RequestHandler:
    """Refuse headers that are given twice: a proxy may have read the other one."""

    @functools.wraps(handler)
    async def handling(request: web.Request) -> web.StreamResponse:
        for name in _ONCE:
            if len(request.headers.getall(name, ())) > 1:
                raise bad_request(f"The header {name} must not be given more than once.")
        return await handler(request)

    return answers(handling)
