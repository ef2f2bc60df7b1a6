"""What stands between the socket and the handlers: idle connections, requests that never get whole, nonsense."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from gateway import protocol
from gateway.addresses import PROXIES, Proxies
from gateway.life import LIFE, Life
from gateway.observing import observe
from gateway.server import HttpServer


@pytest.fixture
async def patient_port() -> AsyncIterator[int]:
    """A server with one path."""

    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application(middlewares=[observe])
    app[LIFE] = Life()
    app[PROXIES] = Proxies()
    app.router.add_get("/", hello)
    http = HttpServer("127.0.0.1:0", app)
    await http.start()
    yield http.port
    await http.stop(0.1)


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections are kept for a moment only: long enough for a crowded machine to read what was sent."""
    monkeypatch.setitem(protocol.OPTIONS, "keepalive_timeout", 1.0)
    monkeypatch.setattr(protocol, "HEAD_S", 1.0)


@pytest.fixture
def port(impatience: None, patient_port: int) -> int:
    """A server with one path, which keeps nobody waiting for long."""
    return patient_port


async def told(port: int, *pieces: bytes) -> bytes:
    """Send these bytes, then read until the server ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("sent", [b"", b"GET /", b"GET / HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "line", "headers"])
async def test_a_head_that_never_gets_whole(port: int, sent: bytes) -> None:
    """The connection is ended: it costs an attacker more than us."""
    assert await told(port, sent) == b""


async def test_an_idle_connection_is_ended_after_its_answer(port: int) -> None:
    """Answered, kept for the next request, then closed; half of a second request keeps it no longer."""
    for rest in (b"", b"GET / HT"):
        answer = await told(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", rest)
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b"hello")
        assert answer.count(b"HTTP/1.1") == 1


async def test_nonsense_gets_the_common_shape(port: int) -> None:
    """400 as JSON with the headers of every answer, and the connection is over."""
    head, _, body = (await told(port, b"\x16\x03\x01 nonsense\r\n\r\n")).partition(b"\r\n\r\n")
    assert head.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    assert json.loads(body) == {"statusCode": 400, "error": "Bad Request", "message": "Bad Request"}
    assert b"Server: clarion" in head
    assert b"X-Content-Type-Options: nosniff" in head


@pytest.mark.parametrize("path", ["/", "/nothing"], ids=["a route", "none"])
async def test_an_expectation_that_is_not_met_gets_the_common_shape(patient_port: int, path: str) -> None:
    """417 as JSON with the headers of every answer, whatever the path; 100-continue is met."""
    sent = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: {{}}\r\n\r\n"
    head, _, body = (await told(patient_port, sent.format("foo").encode())).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 417")
    shown = json.loads(body)
    assert (shown["statusCode"], shown["error"]) == (417, "Expectation Failed")
    assert "100-continue" in shown["message"]
    assert b"Server: clarion" in head
    assert b"X-Trace-Id: " in head
    assert (await told(patient_port, sent.format("100-Continue").encode())).startswith(b"HTTP/1.1 100")
