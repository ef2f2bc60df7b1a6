"""The HTTP server's life: start, say whether calls are welcome, drain."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from gateway.life import LIFE
from gateway.observing import HEADERS
from gateway.replies import neutral_reply
from runtime import logs, telemetry

# How long /healthz says no before the door closes, seconds: a load balancer's chance to look elsewhere.
NOTICE_S = 0.5
# What is still there after the grace may take so long to be ended, seconds.
_LAST_S = 0.5

# How long a connection may be without a whole request's head, seconds: longer than load balancers keep theirs.
IDLE_S = 75.0
# Compressed bodies are refused: nobody need unpack one. observing.py writes the line of each request.
_OPTIONS: dict[str, Any] = {"auto_decompress": False, "access_log": None, "keepalive_timeout": IDLE_S}

log = logs.get(__name__)

_Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class HttpServer:
    """Serves an application on host:port."""

    def __init__(self, address: str, app: web.Application) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._app = app
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port listened on; after start()."""
        if self._runner is None:
            raise RuntimeError("not started")
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Listen. OSError: the address is taken."""
        self._runner = _Runner(self._app, shutdown_timeout=_LAST_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, backlog=1024).start()

    async def set_serving(self, *, serving: bool) -> None:
        """Tell /healthz and /readyz."""
        self._app[LIFE].serving = serving

    async def stop(self, grace: float) -> None:
        """Refuse new connections, close WebSockets, and wait for the requests under way, at most grace seconds."""
        if self._runner is None:
            return
        await asyncio.sleep(min(NOTICE_S, grace / 4))
        for site in self._runner.sites:
            await site.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._app.shutdown()
                # aiohttp's own wait would no longer read: a body half arrived could not be answered.
                await self._app[LIFE].idle()
        await self._runner.cleanup()


class _Protocol(web.RequestHandler):
    """One connection. What is no HTTP that can be read in one way only is answered in the dialects' common shape."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's words may hold what the client sent
    ) -> web.StreamResponse:
        """Answer, then close. Only a fault of ours is worth a traceback."""
        if status >= 500:
            log.error("connection_failed", exc_info=exc)
        else:
            log.info("request_unreadable", status=status, kind=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("The answer has begun: it can only be cut off.")
        reply = neutral_reply(status)
        reply.headers.update(HEADERS)
        reply.force_close()
        return reply


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, loop=asyncio.get_running_loop(), **_OPTIONS)


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


class _Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            _expecting(made.request_handler), request_factory=made.request_factory, handler_cancellation=False
        )
