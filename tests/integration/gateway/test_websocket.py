"""/connection/websocket: the hub through the gateway, and nothing else of it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from stack.client import Running
from tests.integration.gateway.browsers import PATH, connected, gateway_before, opened, token_for
from tests.integration.gateway.conftest import CreateTenant
from tests.integration.gateway.test_inbox import token_of
from tests.waiting import eventually


async def test_a_user_subscribes_to_their_own_channels_only(
    http: aiohttp.ClientSession, create_tenant: CreateTenant
) -> None:
    """Own channels open; those of the same user id in another tenant, and of related ids, are refused."""
    mine, theirs = await create_tenant("A"), await create_tenant("B")
    session = await token_of(http, mine, "victim")
    strangers = [
        *(await token_of(http, theirs, "victim"))["channels"],
        *(await token_of(http, mine, "x,victim"))["channels"],
        "global_system#victim",
        "global_system",
    ]
    page = await connected(http, session["token"])
    for channel in session["channels"]:
        assert await page.subscribe(channel) == 0
    for channel in strangers:
        assert await page.subscribe(channel) == 103
    await page.socket.close()


async def test_nothing_else_of_the_hub_is_served(http: aiohttp.ClientSession, local_stack: Running) -> None:
    """Its API, admin pages, metrics and other transports are not on the public host."""
    key = {"X-API-Key": local_stack.variables["CLARION_CENTRIFUGO_API_KEY"]}
    for path in (
        "/api",
        "/api/info",
        "/admin",
        "/metrics",
        "/health",
        "/connection/sse",
        "/connection/http_stream",
        "/connection/uni_websocket",
        "/connection/websocket/",
        "/connection/websocket/../../api/info",
        "/connection/websocket/..%2F..%2Fapi%2Finfo",
        "/emulation",
    ):
        for method in ("GET", "POST"):
            async with http.request(method, path, headers=key, data=b"{}") as answer:
                assert answer.status in {404, 405}, path


async def test_a_page_of_a_strange_origin_is_refused(http: aiohttp.ClientSession, local_stack: Running) -> None:
    """The hub sees the browser's Origin and says no; the gateway's own pages are let in."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await http.ws_connect(PATH, origin="https://evil.example")
    assert caught.value.status == 403
    await (await http.ws_connect(PATH, origin=local_stack.url)).close()


async def test_a_plain_request_is_told_what_the_path_speaks(http: aiohttp.ClientSession) -> None:
    """426, not a hanging connection."""
    async with http.get(PATH) as answer:
        assert answer.status == 426


async def test_a_thousand_browsers_are_connected_at_once(
    http: aiohttp.ClientSession, create_tenant: CreateTenant
) -> None:
    """Each one talks to the hub over a connection of its own."""
    tenant = await create_tenant()
    tokens = [(await token_of(http, tenant, f"u{number}"))["token"] for number in range(50)]
    gate = asyncio.Semaphore(50)

    async def one(number: int) -> aiohttp.ClientWebSocketResponse:
        async with gate:
            return (await connected(http, tokens[number % len(tokens)])).socket

    browsers = await asyncio.gather(*(one(number) for number in range(1000)))
    assert not any(browser.closed for browser in browsers)
    await asyncio.gather(*(browser.close() for browser in browsers))


async def test_a_killed_hub_sends_browsers_back(
    http: aiohttp.ClientSession, local_stack: Running, create_tenant: CreateTenant
) -> None:
    """Open connections end with a code on which clients reconnect, and soon can."""
    tenant = await create_tenant()
    token = (await token_of(http, tenant, "u"))["token"]
    browser = (await connected(http, token)).socket
    starts = local_stack.kill("hub")
    message = await browser.receive(30)
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1012)
    await local_stack.wait_restarted("hub", starts)
    refusals: list[int] = []

    async def is_back() -> bool:
        try:
            await (await connected(http, token)).socket.close()
        except aiohttp.WSServerHandshakeError as error:
            refusals.append(error.status)
            return False
        return True

    await eventually(is_back)
    assert set(refusals) <= {502}


# What the hub may do that ours does not do on demand: a peer of this file's own, behind a gateway in this process.

Peer = Callable[[web.WebSocketResponse], Awaitable[None]]
StartGateway = Callable[..., Awaitable[aiohttp.ClientSession]]


@pytest.fixture
async def start_gateway() -> AsyncIterator[StartGateway]:
    """Return what starts a gateway before a WebSocket server that behaves as told."""
    async with AsyncExitStack() as closing:

        async def start(peer: Peer, *, protocols: tuple[str, ...] = (), **settings: Any) -> aiohttp.ClientSession:
            async def serve(request: web.Request) -> web.WebSocketResponse:
                side = web.WebSocketResponse(protocols=protocols, autoclose=False, autoping=False)
                await side.prepare(request)
                await peer(side)
                return side

            hub = web.Application()
            hub.router.add_get(PATH, serve)
            server = TestServer(hub)
            await server.start_server()
            closing.push_async_callback(server.close)
            url = f"http://127.0.0.1:{server.port}"
            return await closing.enter_async_context(gateway_before(url, max_websockets=10, **settings))

        yield start


async def welcome(side: web.WebSocketResponse) -> None:
    """Accept the connect command that comes first."""
    command = json.loads((await side.receive()).data)
    await side.send_str(json.dumps({"id": command["id"], "connect": {"client": "c"}}))


async def test_the_hubs_frames_pass_as_they_are(start_gateway: StartGateway) -> None:
    """Text, binary, pings, pongs and the subprotocol; of the browser's, pings and pongs."""

    async def talk(side: web.WebSocketResponse) -> None:
        await welcome(side)
        await side.send_str("ü" * 1000)
        await side.send_bytes(bytes(range(256)))
        assert (await side.receive()).type is WSMsgType.PING
        await side.pong(b"theirs")
        await side.ping(b"mine")
        await side.receive()
        await side.close()

    gateway = await start_gateway(talk, protocols=("centrifuge-json", "centrifuge-protobuf"))
    protocols = ("unknown", "centrifuge-protobuf", "centrifuge-json")
    page = await opened(gateway, protocols=protocols, autoping=False)
    browser = page.socket
    assert browser.protocol == "centrifuge-json"
    await page.ask("connect", {"token": token_for("p1")}, 1)
    assert await browser.receive_str() == "ü" * 1000
    assert await browser.receive_bytes() == bytes(range(256))
    await browser.ping(b"theirs")
    pong, ping = await browser.receive(), await browser.receive()
    assert (pong.type, pong.data) == (WSMsgType.PONG, b"theirs")
    assert (ping.type, ping.data) == (WSMsgType.PING, b"mine")


@pytest.mark.parametrize(("code", "reason"), [(3012, b"no pong"), (3500, b"invalid token"), (1001, b""), (4501, b"x")])
async def test_the_hubs_close_code_reaches_the_browser(start_gateway: StartGateway, code: int, reason: bytes) -> None:
    """The client library decides by it whether to come back."""

    async def close(side: web.WebSocketResponse) -> None:
        await side.close(code=code, message=reason)

    browser = await (await start_gateway(close)).ws_connect(PATH)
    message = await browser.receive(30)
    assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, code, reason.decode())


async def test_the_browsers_close_code_reaches_the_hub(start_gateway: StartGateway) -> None:
    """A goodbye is passed on; one that only vanished is told as gone."""
    seen: list[int] = []

    async def listen(side: web.WebSocketResponse) -> None:
        message = await side.receive()
        seen.append(message.data)
        await side.close()

    gateway = await start_gateway(listen)
    await (await gateway.ws_connect(PATH)).close(code=3999)
    await eventually(lambda: seen == [3999])
    vanishing = await gateway.ws_connect(PATH)
    assert vanishing._response.connection is not None
    transport = vanishing._response.connection.transport
    assert isinstance(transport, asyncio.Transport)
    transport.abort()
    await eventually(lambda: len(seen) == 2)
    assert seen == [3999, 1001]


async def test_an_oversized_command_ends_its_connection(start_gateway: StartGateway) -> None:
    """Nothing of it reaches the hub."""
    seen: list[Any] = []

    async def listen(side: web.WebSocketResponse) -> None:
        seen.append((await side.receive()).type)
        await side.close()

    browser = await (await start_gateway(listen)).ws_connect(PATH)
    await browser.send_str("x" * 70_000)
    message = await browser.receive(30)
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1009)
    await eventually(lambda: seen == [WSMsgType.CLOSE])


async def test_a_slow_browser_slows_itself_alone(start_gateway: StartGateway) -> None:
    """The hub is held back at a bounded number of bytes; a neighbour gets everything."""
    sent: list[int] = []
    payload = "x" * 10_000

    async def flood(side: web.WebSocketResponse) -> None:
        await welcome(side)
        number = len(sent)
        sent.append(0)
        for _ in range(2_000):
            await side.send_str(payload)
            sent[number] += 1
        await side.close()

    gateway = await start_gateway(flood)
    slow = (await connected(gateway, token_for("p1"))).socket  # nobody reads from it
    await eventually(lambda: sent)
    quick = (await connected(gateway, token_for("p2"))).socket
    for _ in range(2_000):
        assert await quick.receive_str() == payload
    assert sent[0] < 2_000
    assert not slow.closed
