"""A server that gets webhooks, for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook


class Receiver:
    """An endpoint's server. arrived: bodies with their headers. answer: its status and body."""

    def __init__(self) -> None:
        self.arrived: list[tuple[dict[str, str], bytes]] = []
        self.answer: tuple[int, bytes] = (204, b"")
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        """Take a message."""
        self.arrived.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        status, body = self.answer
        return web.Response(status=status, body=body)

    def verified(self, secret: str) -> list[Any]:
        """Return what arrived. Raises where a signature is wrong."""
        return [Webhook(secret).verify(body, headers) for headers, body in self.arrived]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Run a receiver on loopback."""
    made = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}/hooks"
    yield made
    await runner.cleanup()
