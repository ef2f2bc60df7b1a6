"""Answers as networks deliver them: in pieces, and without an end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from cli import api
from cli.api import AdminClient

_PIECE = b"a" * (256 * 1024)


@asynccontextmanager
async def _answering(write: Callable[[web.StreamResponse], Awaitable[None]]) -> AsyncIterator[AdminClient]:
    """A gateway whose answers are written so."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await write(response)
        return response

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    async with TestServer(app) as server, AdminClient(str(server.make_url("")), "token") as client:
        yield client


async def test_an_answer_in_pieces() -> None:
    """Is read to its end, though the client is handed what has arrived."""

    async def write(response: web.StreamResponse) -> None:
        for byte in b'{"data": [1, 2], "next_cursor": null}':
            await response.write(bytes([byte]))
            await asyncio.sleep(0)  # the client reads

    async with _answering(write) as client:
        assert (await client.get("/events"))["data"] == [1, 2]


async def test_an_answer_without_an_end_is_cut_off() -> None:
    """After as much as an answer may have; the server is told so."""
    written, ended = 0, asyncio.Event()

    async def write(response: web.StreamResponse) -> None:
        nonlocal written
        try:
            await response.write(b'"')
            while written < 4 * api._LARGEST:
                await response.write(_PIECE)
                written += len(_PIECE)
        finally:
            ended.set()

    async with _answering(write) as client:
        with pytest.raises((api.Refused, api.Unreachable)):
            await client.get("/events")
        async with asyncio.timeout(30):
            await ended.wait()
    # What is beyond it stands in the buffers between them.
    assert written < 2 * api._LARGEST
