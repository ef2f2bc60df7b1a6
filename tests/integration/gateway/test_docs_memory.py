"""What the gateway holds in memory for clients that request the API page and do not read."""

import asyncio
import contextlib
import socket
import tracemalloc
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from gateway.openapi.page import VIEWER
from gateway.openapi.routes import add_routes
from stack.client import Running

_CLIENTS = 20
_HELD_BY_EACH = 200_000  # bytes: what aiohttp and the event loop buffer before they wait for the client


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Serve the page in this process. The kernel buffers little, so that the rest stays with the server."""
    app = web.Application()
    add_routes(app)
    runner = web.AppRunner(app)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0), backlog=_CLIENTS)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    await web.SockSite(runner, listener).start()
    yield listener.getsockname()[1]
    await runner.cleanup()


async def _request(port: int, path: str, encoding: str, open_sockets: contextlib.ExitStack) -> None:
    """Send a request and read one byte of the response."""
    loop = asyncio.get_running_loop()
    client = open_sockets.enter_context(socket.socket())
    client.setblocking(False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(client, f"GET {path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {encoding}\r\n\r\n".encode())
    assert await loop.sock_recv(client, 1) == b"H"


@pytest.mark.parametrize(
    ("path", "encoding"),
    [
        ("", "identity"),
        ("", "gzip"),
        ("/openapi.json", "identity"),
    ],
    ids=["file", "compressed file", "document"],
)
async def test_clients_that_do_not_read_hold_little(port: int, path: str, encoding: str, local_stack: Running) -> None:
    """Requests share one copy of a file; of its own, each has only the piece that is being sent.

    No path: the largest file of the viewer, which the stack has installed.
    """
    if not path:
        largest = max((VIEWER / "chunks").glob("*.js"), key=lambda file: file.stat().st_size)
        path = f"/docs/viewer/chunks/{largest.name}"
    url = f"http://127.0.0.1:{port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url, headers={"Accept-Encoding": encoding}) as reply:
        assert reply.status == 200
        assert len(await reply.read()) > _HELD_BY_EACH
    tracemalloc.start()
    try:
        with contextlib.ExitStack() as open_sockets:
            for _ in range(_CLIENTS):
                await _request(port, path, encoding, open_sockets)
            held, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < _CLIENTS * _HELD_BY_EACH
