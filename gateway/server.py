"""The HTTP server's life: start, say whether calls are welcome, drain."""

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

# How long /healthz says no before the door closes, seconds: a load balancer's chance to look elsewhere.
NOTICE_S = 0.5
# How long connections that are being made then have to be made, seconds: a little more than a long way there and back.
SETTLE_S = 0.25
# What is still there after the grace may take so long to be ended, seconds.
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
        """Tell /healthz and /readyz."""
        self._app[LIFE].serving = serving

    async def stop(self, grace: float) -> None:
        """Give notice, take no new connection, close WebSockets, and serve the connections that stand.

        Each gets the answer to its next request, with Connection: close. Those that send none within grace seconds
        are closed then: a client cannot know of it when it sends its next request in the same moment.
        """
        if self._runner is None or self._listener is None:
            return
        await asyncio.sleep(min(NOTICE_S, grace / 4))
        await self._listener.close(min(SETTLE_S, grace / 8))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._app.shutdown()
                # aiohttp's own wait would no longer read: a body half arrived could not be answered.
                await self._connections.none()
                # A client that left does not end what it asked for.
                await self._app[LIFE].idle()
        await self._runner.cleanup()


def _expecting(handle: _Handle) -> _Handle:
    """Refuse expectations but 100-continue, in the shape that other refusals have: aiohttp's own is plain text."""

    def handling(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        if request.headers.get("Expect", "100-continue").lower() == "100-continue":
            return handle(request)
        return _refuse_expectation(request)

    return handling


async def _refuse_expectation(request: web.BaseRequest) -> web.StreamResponse:
    log.info("expectation_refused")
    reply = neutral_reply(417, "Of expectations only 100-continue is met.")
    reply.headers.update(HEADERS)
    reply.headers[telemetry.TRACE_HEADER] = telemetry.trace_id_from(request.headers)
    return reply


class _Server(web.Server):
    """Makes each connection a Protocol."""

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
