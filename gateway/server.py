"""The HTTP server: start, report whether it is ready, drain."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from aiohttp import web

from gateway.connections import CONNECTIONS, Connections
from gateway.life import LIFE
from gateway.listening import DrainingListener, allow_open_files
from gateway.observing import HEADERS
from gateway.protocol import Protocol
from gateway.replies import neutral_reply
from runtime import logs, telemetry

# How long /healthz reports `draining` before the port closes, in seconds, so that a load balancer can react.
NOTICE_S = 0.5
# How long handshakes under way then have to finish, in seconds: a little more than a long round trip.
SETTLE_S = 0.25
# How long connections that are left after the grace period may take to close, in seconds.
_LAST_S = 0.5

log = logs.get(__name__)

_Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class HttpServer:
    """Serves an application on host:port."""

    def __init__(self, address: str, app: web.Application) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._app = app
        self._connections = app.setdefault(CONNECTIONS, Connections())
        self._runner: web.AppRunner | None = None
        self._listener: DrainingListener | None = None

    @property
    def port(self) -> int:
        """The port listened on; after start()."""
        if self._listener is None:
            raise RuntimeError("not started")
        return self._listener.port

    async def start(self) -> None:
        """Listen. OSError: the address is taken."""
        allow_open_files()
        self._runner = _Runner(self._app, self._connections)
        await self._runner.setup()
        if self._runner.server is None:
            raise RuntimeError("aiohttp made no server")
        self._listener = DrainingListener(self._runner.server)
        await self._listener.start(self._host, self._port, backlog=1024)

    async def set_serving(self, *, serving: bool) -> None:
        """Set what /healthz and /readyz report."""
        self._app[LIFE].serving = serving

    async def stop(self, grace: float) -> None:
        """Report `draining`, refuse new connections, close WebSockets, and serve the open connections.

        Each connection gets the response to its next request, with `Connection: close`. Connections without a request
        within grace seconds are closed, those of browsers at once.
        """
        if self._runner is None or self._listener is None:
            return
        await asyncio.sleep(min(NOTICE_S, grace / 4))
        await self._listener.close(min(SETTLE_S, grace / 8))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._app.shutdown()
                self._end_browsers()
                # aiohttp's own wait stops reading, so that a body that is still arriving could not be answered.
                await self._connections.none()
                # Handlers of clients that have left still run.
                await self._app[LIFE].idle()
        await self._runner.cleanup()
        self._runner = None  # to stop again does nothing

    def _end_browsers(self) -> None:
        """Close what open pages keep for later: nobody waits for them."""
        server = self._runner.server if self._runner is not None else None
        for connection in server.connections if server is not None else ():
            if isinstance(connection, Protocol):
                connection.end_if_browser()


def _expecting(handle: _Handle) -> _Handle:
    """Refuse all expectations but 100-continue as JSON; aiohttp would answer plain text."""

    def handling(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        if request.headers.get("Expect", "100-continue").lower() == "100-continue":
            return handle(request)
        return _refuse_expectation(request)

    return handling


async def _refuse_expectation(request: web.BaseRequest) -> web.StreamResponse:
    log.info("expectation_refused")
    reply = neutral_reply(417, "The header Expect may only be 100-continue.")
    reply.headers.update(HEADERS)
    reply.headers[telemetry.TRACE_HEADER] = telemetry.trace_id_from(request.headers)
    return reply


class _Server(web.Server):
    """Creates a Protocol for each connection."""

    def __init__(self, made: web.Server, bounds: Connections) -> None:
        super().__init__(
            _expecting(made.request_handler), request_factory=made.request_factory, handler_cancellation=False
        )
        self._bounds = bounds

    def __call__(self) -> web.RequestHandler:
        return Protocol(self, self._bounds)


class _Runner(web.AppRunner):
    __slots__ = ("_bounds",)

    def __init__(self, app: web.Application, bounds: Connections) -> None:
        super().__init__(app, shutdown_timeout=_LAST_S)
        self._bounds = bounds

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), self._bounds)
