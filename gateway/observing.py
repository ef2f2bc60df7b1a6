"""Middleware for every request: trace id, one log line, metrics, and headers for all responses.

Errors that no handler answered get a body in the format of the dialect that was meant, otherwise in the gateway's own.
"""

import time

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import Counter, Histogram

from gateway import dialects
from gateway.addresses import PROXIES
from gateway.life import LIFE
from gateway.refusals import reporting
from gateway.replies import neutral_reply
from runtime import logs, telemetry, tracing

# Set by handlers, for the log line.
TENANT_ID = web.RequestKey("tenant_id", str)
EVENT_ID = web.RequestKey("event_id", str)

# Set on every response that does not have its own.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Server": "clarion",
}
# Where the polling API lies.
POLLING = "/api/v1/poll/"
_QUIET = frozenset({"/healthz", "/readyz"})

_requests = Counter("clarion_http_requests_total", "Requests answered.", ["method", "route", "status"])
_seconds = Histogram(
    "clarion_http_request_seconds",
    "Time from a request's headers to its response.",
    ["route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

log = logs.get(__name__)


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer the request, whatever happens, and log it."""
    if not tracing.is_on() or request.path in _QUIET or "Upgrade" in request.headers:  # not of hours of a WebSocket
        return await _observed(request, handler)
    with tracing.web_server(request.method, request.headers) as span:
        response = await _observed(request, handler)
        span.set("http.route", _route(request))
        for name, key in (("clarion.tenant_id", TENANT_ID), ("clarion.event_id", EVENT_ID)):
            if value := request.get(key):
                span.set(name, value)
        span.status(response.status)
        return response


async def _observed(request: web.Request, handler: Handler) -> web.StreamResponse:
    started = time.perf_counter()
    trace_id = telemetry.trace_id_from(request.headers, tracing.trace_id())
    telemetry.bind_trace(trace_id)
    request.app[PROXIES].notice(request)
    life = request.app[LIFE]
    life.begin()
    try:
        response = await _answer(request, handler)
    finally:
        life.end()
    if not life.serving:
        response.force_close()  # so that the next request goes to another gateway
    if not response.prepared:
        headers = response.headers
        headers[telemetry.TRACE_HEADER] = trace_id
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
    _record(request, response.status, time.perf_counter() - started)
    if reporting.is_refusal(response.status) and _is_public(request):
        reporting.count(
            request,
            response.status,
            _route(request),
            trace_id,
            lambda: request.app[PROXIES].client_of(request),
        )
    return response


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        reply = _unanswered(request, error.status)
        if (allowed := error.headers.get("Allow")) is not None:
            reply.headers["Allow"] = allowed
        return reply
    except Exception:
        # The last resort: an error of our own must not end the connection without a response.
        log.exception("request_failed", method=request.method, route=_route(request))
        return _unanswered(request, 500)


def _is_public(request: web.Request) -> bool:
    """Return whether a request is meant for an API that tenants' keys open."""
    return request.path.startswith(POLLING) or dialects.of(request) is not None


def _unanswered(request: web.Request, status: int) -> web.Response:
    dialect = dialects.of(request)
    return neutral_reply(status) if dialect is None else dialect.unanswered(status)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"


def _record(request: web.Request, status: int, seconds: float) -> None:
    route = _route(request)
    telemetry.labelled(_requests, request.method if route != "unknown" else "", route, str(status)).inc()
    telemetry.labelled(_seconds, route).observe(seconds)
    if route in _QUIET:
        return
    log.info(
        "request",
        method=request.method,
        route=route,
        status=status,
        ms=round(seconds * 1000, 2),
        tenant_id=request.get(TENANT_ID, ""),
        event_id=request.get(EVENT_ID, ""),
    )
