"""/connection/websocket: a connection to the hub never outlives its handler, wherever the handler is interrupted."""

import asyncio
import contextlib
import itertools
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.addresses import Proxies
from gateway.clients import Clients
from gateway.life import Life
from gateway.websocket.proxy import PATH, Proxy
from gateway.websocket.slots import ConnectionSlots, SlotLimits
from tests.integration.gateway.browsers import settings_before
from tests.waiting import eventually

Interrupt = Callable[[web.Request], object]
Handling = Coroutine[Any, None, web.StreamResponse]


def cancel(_request: web.Request) -> None:
    """Cancel the handler, as the end of the process does."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


def vanish(request: web.Request) -> None:
    """Cut the browser's connection."""
    if request.transport is not None:
        request.transport.abort()


@types.coroutine
def interrupted(
    handling: Handling, nth: int, interrupt: Callable[[], object]
) -> Generator[Any, None, web.StreamResponse]:
    """Run a handler, and interrupt it when it waits for the nth time."""
    error: BaseException | None = None
    for number in itertools.count(1):
        try:
            waited_for = handling.send(None) if error is None else handling.throw(error)
        except StopIteration as end:
            response: web.StreamResponse = end.value
            break
        if number == nth:
            interrupt()
        error = None
        try:
            yield waited_for
        except BaseException as caught:  # the handler decides
            error = caught
    return response


@pytest.fixture
async def hub() -> AsyncIterator[TestServer]:
    """A hub that accepts every WebSocket and says nothing."""

    async def listen(request: web.Request) -> web.WebSocketResponse:
        side = web.WebSocketResponse()
        await side.prepare(request)
        async for _ in side:
            pass
        return side

    app = web.Application()
    app.router.add_get(PATH, listen)
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


@pytest.fixture
async def proxy(hub: TestServer) -> AsyncIterator[Proxy]:
    """A proxy to this hub, which soon closes a browser that says nothing."""
    clients = Clients(settings_before(f"http://127.0.0.1:{hub.port}"))
    slots = ConnectionSlots(SlotLimits.of(connected=10, per_address=0, per_user=10))
    yield Proxy(clients, Life(), Proxies(), slots, connect_s=0.05)
    await clients.close()


@pytest.mark.parametrize("interrupt", [cancel, vanish])
async def test_the_hubs_side_is_closed(hub: TestServer, proxy: Proxy, interrupt: Interrupt) -> None:
    """Interrupted at each place where it waits, from the first to the last."""
    for nth in itertools.count(1):
        interruptions: list[int] = []

        async def handle(request: web.Request, nth: int = nth, done: list[int] = interruptions) -> web.StreamResponse:
            def interrupt_it() -> None:
                done.append(nth)
                interrupt(request)

            return await interrupted(proxy.connect(request), nth, interrupt_it)

        await visit(handle)
        await eventually(lambda: is_deserted(hub))
        if not interruptions:
            assert nth > 5
            return


def is_deserted(hub: TestServer) -> bool:
    """Return whether nobody is connected to the hub."""
    assert hub.handler is not None
    return not hub.handler.connections


async def visit(handle: Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]) -> None:
    """Connect as a browser that says nothing, and stay to the end."""
    app = web.Application()
    app.router.add_get("/", handle)
    async with TestClient(TestServer(app)) as http:
        with contextlib.suppress(aiohttp.ClientError):
            socket = await http.ws_connect("/")
            await socket.receive(30)
