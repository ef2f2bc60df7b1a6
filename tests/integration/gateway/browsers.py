"""A browser's side of /connection/websocket, spoken by hand, and gateways of a test's own before a hub."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import jwt

from gateway.app import create_app
from gateway.clients import Clients
from gateway.server import HttpServer
from gateway.settings import Settings
from runtime.settings import Secret

PATH = "/connection/websocket"
Frame = dict[str, Any]


class Page:
    """One WebSocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self._waiting: list[Frame] = []

    async def send(self, *commands: Frame) -> None:
        """Send commands in one message."""
        await self.socket.send_str("\n".join(json.dumps(command) for command in commands))

    async def next(self) -> Frame | int:
        """Return the next reply or push, or the code of the close."""
        while not self._waiting:
            message = await self.socket.receive(30)
            if message.type is aiohttp.WSMsgType.CLOSE:
                # Not socket.close_code: aiohttp makes it 1006 when its reply comes too late.
                return int(message.data)
            if message.type is not aiohttp.WSMsgType.TEXT:
                assert message.type.name.startswith("CLOS"), message
                return int(self.socket.close_code or 0)
            self._waiting = [json.loads(line) for line in message.data.split("\n") if line.strip("{}")]
        return self._waiting.pop(0)

    async def ask(self, name: str, body: Any, number: int = 2) -> Frame | int:
        """Send one command and return what comes next."""
        await self.send({"id": number, name: body})
        return await self.next()

    async def subscribe(self, channel: str) -> int:
        """Return the error's code; 0: subscribed."""
        answer = await self.ask("subscribe", {"channel": channel})
        assert isinstance(answer, dict), answer
        return 0 if "subscribe" in answer else int(answer["error"]["code"])


async def opened(http: aiohttp.ClientSession, address: str = "", **options: Any) -> Page:
    """Return a page that is connected to the gateway and has said nothing. address: in X-Forwarded-For."""
    headers = {"X-Forwarded-For": address} if address else {}
    return Page(await http.ws_connect(PATH, headers=headers, **options))


async def connected(http: aiohttp.ClientSession, token: str, address: str = "") -> Page:
    """Return a page that the hub has welcomed."""
    page = await opened(http, address)
    reply = await page.ask("connect", {"token": token}, 1)
    assert isinstance(reply, dict), reply
    assert "connect" in reply, reply
    return page


def token_for(principal: str, secret: str = "s" * 32, **claims: Any) -> str:
    """Return a token without an end."""
    return jwt.encode({"sub": principal, **claims}, secret, algorithm="HS256")


def settings_before(hub_url: str, **settings: Any) -> Settings:
    """Return the settings of a gateway whose only service is the hub."""
    return Settings(
        service_token=Secret("t"),
        http_address="",
        admin_token=Secret("a"),
        ingest_address="127.0.0.1:1",
        router_address="127.0.0.1:1",
        render_address="127.0.0.1:1",
        senders_address="127.0.0.1:1",
        realtime_address="127.0.0.1:1",
        centrifugo_url=hub_url,
        **settings,
    )


@asynccontextmanager
async def gateway_before(hub_url: str, **settings: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve a gateway in this process, whose only service is the hub; yield a client of it."""
    made = settings_before(hub_url, **settings)
    async with AsyncExitStack() as closing:
        clients = Clients(made)
        closing.push_async_callback(clients.close)
        gateway = HttpServer("127.0.0.1:0", create_app(made, clients))
        await gateway.start()
        closing.push_async_callback(gateway.stop, 1.0)
        url = f"http://127.0.0.1:{gateway.port}"
        yield await closing.enter_async_context(
            aiohttp.ClientSession(base_url=url, connector=aiohttp.TCPConnector(limit=0))
        )
