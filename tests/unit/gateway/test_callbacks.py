"""How many callbacks a gateway has under way at a time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from clarion.senders.v1 import reports_pb2
from gateway import callbacks
from gateway.callbacks.reports import MAX_UNDER_WAY
from gateway.clients import Clients
from tests.waiting import eventually


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
async def http(senders: Senders) -> AsyncIterator["TestClient[web.Request, web.Application]"]:
    """A gateway of nothing but callbacks."""
    app = web.Application()
    callbacks.add_routes(app, cast(Clients, senders))
    async with TestClient(TestServer(app), connector=aiohttp.TCPConnector(limit=0)) as client:
        yield client


async def test_what_is_too_many_is_told_to_come_back(
    http: "TestClient[web.Request, web.Application]", senders: Senders
) -> None:
    """503 with Retry-After past the bound, at once; the others are answered, and then there is room again."""
    under_way = [asyncio.create_task(http.post("/callbacks/p/s", data=b"x")) for _ in range(MAX_UNDER_WAY)]
    await eventually(lambda: senders.asked == MAX_UNDER_WAY)
    refused = await http.post("/callbacks/p/s", data=b"x")
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    senders.answer.set()
    assert {answer.status for answer in await asyncio.gather(*under_way)} == {204}
    assert (await http.post("/callbacks/p/s", data=b"x")).status == 204
