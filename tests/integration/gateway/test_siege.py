"""What a stranger without a key can do to the gateway's memory and to its other callers: nothing that they notice."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import REPORT
from tests.integration.gateway.alone import PATH, Alone, alone
from tests.waiting import eventually

MIB = 1024 * 1024
CROWD = 650
# The attacker and the neighbour call from addresses of their own.
ATTACKER, NEIGHBOUR = "127.0.0.1", "127.0.0.2"
LINE = b"GET / HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Alone]:
    """A gateway with its default bounds."""
    async with alone(tmp_path) as running:
        yield running


async def attack(gateway: Alone, *pieces: bytes) -> bytes:
    """Send these for as long as the gateway takes them; return what it answers until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, local_addr=(ATTACKER, 0))
    answer = b""
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
    with contextlib.suppress(ConnectionError):
        while read := await reader.read(65536):
            answer += read
    writer.close()
    return answer


async def ask(gateway: Alone) -> int:
    """Return the status that a neighbour's request gets."""
    connector = aiohttp.TCPConnector(local_addr=(NEIGHBOUR, 0))
    timeout = aiohttp.ClientTimeout(total=20)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        session.get(gateway.url + PATH) as answer,
    ):
        await answer.read()
        return answer.status


async def keep_asking(gateway: Alone, until: "asyncio.Future[list[bytes]]") -> list[int]:
    """Ask again and again until that is done; return the statuses."""
    statuses = [await ask(gateway)]
    while not until.done():
        statuses.append(await ask(gateway))
    return statuses


def statuses_of(answers: list[bytes]) -> Counter[int]:
    """Count the answers by their status; 0: ended without one."""
    return Counter(int(answer.split(b" ", 2)[1]) if answer else 0 for answer in answers)


async def test_heads_that_never_end_cost_nothing(
    gateway: Alone, record_property: Callable[[str, object], None]
) -> None:
    """650 connections of 120 headers of 8 KB: all refused, neighbours answered, memory as before."""
    field = b"X-Filler: " + b"x" * 8000 + b"\r\n"
    before = gateway.memory("VmRSS")
    crowd = asyncio.gather(*(attack(gateway, LINE, *[field] * 120) for _ in range(CROWD)))
    neighbours = await keep_asking(gateway, crowd)
    answers = await crowd
    grown = (gateway.memory("VmHWM") - before) / MIB
    record_property(REPORT, f"{CROWD} heads without end: {dict(statuses_of(answers))}, {grown:.0f} MiB at the most")
    # A client that still sends when it is refused may lose the answer to the reset, but never gets another one.
    assert set(statuses_of(answers)) <= {0, 431, 503}
    assert set(neighbours) == {200}
    assert grown < 128


async def test_slow_heads_are_bounded_together_and_ended(gateway: Alone) -> None:
    """650 heads of 30 KB that stop there: memory is bounded by address, and a deadline ends each."""
    before = gateway.memory("VmRSS")
    fields = b"".join(b"X-Filler-%d: " % number + b"x" * 5000 + b"\r\n" for number in range(6))
    crowd = asyncio.gather(*(attack(gateway, LINE + fields) for _ in range(CROWD)))
    neighbours = await keep_asking(gateway, crowd)
    answers = await crowd
    assert set(statuses_of(answers)) == {0, 503}
    assert set(neighbours) == {200}
    assert (gateway.memory("VmHWM") - before) / MIB < 128


async def test_a_head_is_refused_before_it_is_whole(gateway: Alone) -> None:
    """431 in the common shape as soon as the bytes exceed the bound, whether of many fields, one field, or the path."""
    for head in (
        LINE + b"".join(b"X-%d: " % number + b"x" * 1000 + b"\r\n" for number in range(60)),
        LINE + b"X: " + b"x" * 9000,
        b"GET /" + b"x" * 9000,
    ):
        first, _, body = (await attack(gateway, head)).partition(b"\r\n\r\n")
        assert first.startswith((b"HTTP/1.1 431 ", b"HTTP/1.0 431 "))
        assert b"Server: clarion" in first
        assert b"Connection: close" in first or first.startswith(b"HTTP/1.0")
        shown = json.loads(body)
        assert (shown["statusCode"], shown["error"]) == (431, "Request Header Fields Too Large")
        assert "32768 bytes" in shown["message"]


async def test_small_requests_sent_ahead_are_no_large_head(gateway: Alone) -> None:
    """Pipelined requests are each measured by themselves, those behind bodies too."""
    many = 200
    body = b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n" + b"b" * 50000
    chunked = (
        b"POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
         b"3e8\r\n" + b"b" * 1000 + b"\r\n" + b"0\r\n\r\n"
    )  # fmt: skip
    get = b"GET /nothing HTTP/1.1\r\nHost: x\r\nX-Filler: " + b"x" * 700 + b"\r\n\r\n"
    last = b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = await attack(gateway, get * many + body + get + chunked + get * 3 + last)
    assert answer.count(b"HTTP/1.1 404 ") == many + 1 + 1 + 1 + 3 + 1


async def test_connections_of_one_address_are_bounded(tmp_path: Path) -> None:
    """Past the bound: 503 at once; other addresses are let in, and so is this one when a connection has ended."""
    async with alone(tmp_path, CLARION_MAX_CONNECTIONS_PER_ADDRESS="20") as gateway:
        open_ones = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(20)]
        refused = await attack(gateway)
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1" in refused
        assert await ask(gateway) == 200
        open_ones[0][1].close()

        async def is_let_in() -> bool:
            return (await attack(gateway, LINE + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 302 ")

        await eventually(is_let_in)
        for _, writer in open_ones:
            writer.close()
        assert "connections_refused" in gateway.log.read_text()


async def test_connections_in_all_are_bounded(tmp_path: Path) -> None:
    """Whatever the addresses; a trusted proxy is bounded by the total alone."""
    settings = {
        "CLARION_MAX_WEBSOCKETS": "10",
        "CLARION_MAX_CONNECTIONS": "30",
        "CLARION_MAX_CONNECTIONS_PER_ADDRESS": "5",
        "CLARION_TRUSTED_PROXIES": ATTACKER,
    }
    async with alone(tmp_path, **settings) as gateway:
        # The start's own question may not have ended yet.
        open_ones = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(29)]

        async def is_full() -> bool:
            open_ones.append(await asyncio.open_connection("127.0.0.1", gateway.port))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    return (await open_ones[-1][0].read()).startswith(b"HTTP/1.1 503 ")
            return False

        await eventually(is_full)
        assert 30 <= len(open_ones) - 1 <= 31
        for _, writer in open_ones:
            writer.close()
