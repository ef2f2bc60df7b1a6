"""How many callbacks a gateway has under way at a time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeAlias, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from clarion.senders.v1 import reports_pb2
from gateway import callbacks
from gateway.addresses import Proxies
from gateway.callbacks.reports import MAX_ARRIVING, MAX_ARRIVING_OF_ONE, MAX_UNDER_WAY, SMALL_BYTES
from gateway.clients import Clients
from gateway.connections import CONNECTIONS, Connections
from tests.waiting import eventually

Http: TypeAlias = "TestClient[web.Request, web.Application]"

MEAN, KIND = "192.0.2.1", "198.51.100.1"


class Senders:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.answer = asyncio.Event()
        self.asked = 0
        self.ReceiveReport = self.GetUnsubscription = self.Unsubscribe = None
        self.reports = self

    async def call(self, _method: Any, _request: Any, *, deadline: float) -> reports_pb2.ReceiveReportResponse:
        """See gateway.clients.Clients.call."""
        self.asked += 1
        async with asyncio.timeout(deadline):
            await self.answer.wait()
        return reports_pb2.ReceiveReportResponse()


@pytest.fixture
async def senders() -> Senders:
    """Senders that take their time."""
    return Senders()


@pytest.fixture
async def http(senders: Senders) -> AsyncIterator[Http]:
    """A gateway of nothing but callbacks."""
    app = web.Application()
    app[CONNECTIONS] = Connections()
    callbacks.add_routes(app, cast(Clients, senders), Proxies(["127.0.0.1"]))
    async with TestClient(TestServer(app), connector=aiohttp.TCPConnector(limit=0)) as client:
        yield client


async def test_what_is_too_many_is_told_to_come_back(http: Http, senders: Senders) -> None:
    """503 with Retry-After past the bound, at once; the others are answered, and then there is room again."""
    under_way = [asyncio.create_task(http.post("/callbacks/p/s", data=b"x")) for _ in range(MAX_UNDER_WAY)]
    await eventually(lambda: senders.asked == MAX_UNDER_WAY)
    refused = await http.post("/callbacks/p/s", data=b"x")
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    senders.answer.set()
    assert {answer.status for answer in await asyncio.gather(*under_way)} == {204}
    assert (await http.post("/callbacks/p/s", data=b"x")).status == 204


async def begin(http: Http, length: int, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a callback's head; return when the gateway asks for its body."""
    reader, writer = await asyncio.open_connection(http.host, http.port)
    writer.write(
        f"POST /callbacks/p/wrong HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n"
        f"X-Forwarded-For: {address}\r\nExpect: 100-continue\r\n\r\n".encode()
    )
    async with asyncio.timeout(30):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    return reader, writer


async def post(http: Http, size: int, address: str) -> int:
    """Send a whole callback; return the answer's status."""
    async with http.post("/callbacks/p/s", data=b"x" * size, headers={"X-Forwarded-For": address}) as answer:
        return answer.status


async def test_a_body_that_does_not_come_keeps_nobody_out(http: Http, senders: Senders) -> None:
    """More slow callbacks than may be under way, from one address: whole ones are handed on, large ones too."""
    senders.answer.set()
    slow = await asyncio.gather(*[begin(http, 10, MEAN) for _ in range(MAX_UNDER_WAY + 1)])
    assert await post(http, 1, MEAN) == 204
    slow += [await begin(http, SMALL_BYTES + 1, MEAN) for _ in range(MAX_ARRIVING_OF_ONE)]
    assert await post(http, 1, MEAN) == 204
    assert await post(http, SMALL_BYTES + 1, KIND) == 204
    assert senders.asked == 3
    for _, writer in slow:
        writer.close()


async def test_large_bodies_of_one_address_are_bounded(http: Http, senders: Senders) -> None:
    """One more than it may have on their way gets 503, at once; there is room again when one of them is there."""
    senders.answer.set()
    slow = [await begin(http, SMALL_BYTES + 1, MEAN) for _ in range(MAX_ARRIVING_OF_ONE)]
    refused, connection = await begin(http, SMALL_BYTES + 1, MEAN)
    async with asyncio.timeout(30):
        assert b" 503 " in await refused.readline()
        slow[0][1].write(b"x" * (SMALL_BYTES + 1))
        assert b" 204 " in await slow[0][0].readline()
    assert await post(http, SMALL_BYTES + 1, MEAN) == 204
    for _, writer in (*slow, (refused, connection)):
        writer.close()


async def test_large_bodies_of_all_are_bounded(http: Http, senders: Senders) -> None:
    """However many addresses they come from; small ones go on."""
    senders.answer.set()
    addresses = [f"192.0.2.{number % 32}" for number in range(MAX_ARRIVING)]
    slow = await asyncio.gather(*[begin(http, SMALL_BYTES + 1, address) for address in addresses])
    assert await post(http, SMALL_BYTES + 1, KIND) == 503
    assert await post(http, SMALL_BYTES, KIND) == 204
    for _, writer in slow:
        writer.close()
