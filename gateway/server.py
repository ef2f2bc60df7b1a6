"""The HTTP server's life: start, say whether calls are welcome, drain."""

import asyncio
import contextlib

from aiohttp import web

from gateway.life import LIFE

# How long /healthz says no before the door closes, seconds: a load balancer's chance to look elsewhere.
NOTICE_S = 0.5
# What is still there after the grace may take so long to be ended, seconds.
_LAST_S = 0.5


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
        self._runner = web.AppRunner(
            self._app,
            access_log=None,
            handler_cancellation=False,
            shutdown_timeout=_LAST_S,
            auto_decompress=False,  # compressed bodies are refused: nobody need unpack one
        )
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
