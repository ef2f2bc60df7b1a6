"""What stands between the socket and the handlers: idle connections, requests that never get whole, nonsense."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from gateway import protocol, replies
from gateway.addresses import PROXIES, Proxies
from gateway.connections import CONNECTIONS, ByteBudget, Connections
from gateway.life import LIFE, Life
from gateway.observing import observe
from gateway.problems import from_error
from gateway.replies import BodyError, read_bytes
from gateway.server import HttpServer
from runtime.errors import ClarionError
from tests.waiting import end, eventually

MIB = 1024 * 1024


@pytest.fixture
def connections() -> Connections:
    """The server's bounds."""
    return Connections()


@pytest.fixture
async def server(connections: Connections) -> AsyncIterator[HttpServer]:
    """A server with a greeting, a page of 32 MiB, a slow one, and a place for bodies."""

    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def large(_: web.Request) -> web.Response:
        return web.Response(body=bytes(32 * MIB))

    async def slow(request: web.Request) -> web.Response:
        await eventually(lambda: request.protocol._close)  # until the deadline of the next head
        return web.Response(text="slow")

    async def length(request: web.Request) -> web.Response:
        try:
            return web.Response(text=str(len(await read_bytes(request, limit=MIB))))
        except ClarionError as error:
            return from_error(error)
        except BodyError as fault:
            return web.Response(status=fault.status)

    async def twice(request: web.Request) -> web.Response:
        with contextlib.suppress(BodyError):
            await replies.read_before_handler(request, limit=MIB)
        return await length(request)

    async def unread(_: web.Request) -> web.Response:
        return web.Response(status=413)

    app = web.Application(middlewares=[observe])
    app[LIFE] = Life()
    app[PROXIES] = Proxies()
    app[CONNECTIONS] = connections
    app.router.add_get("/", hello)
    app.router.add_get("/large", large)
    app.router.add_get("/slow", slow)
    app.router.add_post("/", length)
    app.router.add_post("/twice", twice)
    app.router.add_post("/unread", unread)
    http = HttpServer("127.0.0.1:0", app)
    await http.start()
    yield http
    await http.stop(0.1)


@pytest.fixture
def patient_port(server: HttpServer) -> int:
    """Its port."""
    return server.port


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


@pytest.mark.parametrize("size", range(60_000, 180_000, 8_000))
async def test_a_body_after_one_that_nobody_read(patient_port: int, size: int) -> None:
    """Whatever the parser had kept of the next request when it was held back, that one's body is no head."""
    first = f"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
    second = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n"
    answers = await told(patient_port, first.encode() + bytes(size) + second + bytes(300_000))
    assert answers.startswith(b"HTTP/1.1 413 ")
    assert answers.endswith(b"\r\n\r\n300000")


async def test_a_client_that_does_not_read_its_answer(
    patient_port: int, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up: neither it nor what it asked for stays."""
    monkeypatch.setattr(protocol, "STALLED_S", 1.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", patient_port, limit=1024)
    writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
    async with asyncio.timeout(20):
        await connections.none()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(32 * MIB)
    writer.close()


async def test_bodies_that_are_arriving_are_bounded_together(patient_port: int, connections: Connections) -> None:
    """One address has a quarter of the room; what does not fit gets 503, and what has ended gives its room back."""
    connections.bodies = ByteBudget(2 * MIB)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 400000\r\n\r\n"
    whole = bytes(400_000)
    waiting_reader, waiting = await asyncio.open_connection("127.0.0.1", patient_port)
    waiting.write(head + whole[:300_000])
    await eventually(lambda: connections.bodies.held == 300_000)

    answer = await told(patient_port, head + whole[:300_000], whole[300_000:399_999])
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1" in answer

    waiting.write(whole[300_000:])
    assert (await waiting_reader.read()).endswith(b"\r\n\r\n400000")
    waiting.close()
    assert (await told(patient_port, head + whole[:300_000], whole[300_000:])).endswith(b"\r\n\r\n400000")


async def test_the_rest_of_a_body_that_is_too_large_is_no_body(patient_port: int) -> None:
    """Whoever reads it after it was refused is told the same, and gets nothing of what is left."""
    head = b"POST /twice HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
    pieces = [b"%x\r\n" % len(piece) + piece + b"\r\n" for piece in (bytes(2 * MIB), b"{}", b"")]
    answer = await told(patient_port, head + b"Transfer-Encoding: chunked\r\n\r\n", *pieces)
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_body_that_comes_too_slowly(
    patient_port: int, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a deadline as a whole, so no trickle keeps it; what it held is free again."""
    monkeypatch.setattr(replies, "BODY_DEADLINE_S", 1.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", patient_port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n")

    async def trickle() -> None:
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.05)

    trickling = asyncio.create_task(trickle())
    async with asyncio.timeout(20):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
    await end(trickling)
    writer.close()
    assert connections.bodies.held == 0


async def test_a_deadline_of_a_head_lets_the_answer_before_it_out(port: int) -> None:
    """A request that is being answered when the next one's head is too slow gets its answer, and then the end."""
    answer = await told(port, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\n")
    assert answer.endswith(b"slow")
    assert answer.count(b"HTTP/1.1 200") == 1


@pytest.mark.parametrize("arrives", ["body", "head"])
async def test_a_stop_lets_a_page_finish_what_it_sends(
    server: HttpServer, connections: Connections, arrives: str
) -> None:
    """An idle page is sent away at once; a request that is half here is answered, and so is a proxy's next one."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nSec-Fetch-Mode: cors\r\nContent-Length: 10\r\n"
    page, page_writer = await asyncio.open_connection("127.0.0.1", server.port)
    idle, idle_writer = await asyncio.open_connection("127.0.0.1", server.port)
    proxy, proxy_writer = await asyncio.open_connection("127.0.0.1", server.port)
    for reader, writer, more in (
        (page, page_writer, b""),
        (idle, idle_writer, b""),
        (proxy, proxy_writer, b"X-Forwarded-For: 192.0.2.1\r\n"),
    ):
        writer.write(head + more + b"\r\n0123456789")
        await reader.readuntil(b"\r\n\r\n10")
    if arrives == "body":
        page_writer.write(head + b"\r\n01234")
        await eventually(lambda: connections.bodies.held == 5)
    else:
        page_writer.write(head[:20])
        await eventually(lambda: connections.heads.held == 20)

    await server.set_serving(serving=False)
    stopping = asyncio.create_task(server.stop(20))
    async with asyncio.timeout(20):
        assert await idle.read() == b""
        page_writer.write(b"56789" if arrives == "body" else head[20:] + b"\r\n0123456789")
        assert (await page.read()).endswith(b"\r\n\r\n10")
        proxy_writer.write(head + b"\r\n0123456789")
        assert (await proxy.read()).endswith(b"\r\n\r\n10")
        await stopping
    for writer in (page_writer, idle_writer, proxy_writer):
        writer.close()
