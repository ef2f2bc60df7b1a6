"""/connection/websocket: browsers reach the realtime hub through the gateway, and nothing else of it.

Frames pass as they are, in both directions, close codes included. Nothing is collected: each side is
read only as fast as the other takes, so a slow browser slows its own connection alone and the hub,
which knows how far behind it may fall, decides what becomes of it.
"""

import asyncio
from http import HTTPStatus

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, web
from prometheus_client import Gauge

from gateway.clients import Clients
from gateway.life import LIFE, Life
from gateway.replies import json_reply
from runtime import logs

PATH = "/connection/websocket"
# Of one message, bytes: commands of a browser are small, the hub's replies may carry a history.
MAX_FROM_BROWSER = 64 * 1024
MAX_FROM_HUB = 4 * 1024 * 1024
_CONNECT_S = 5.0
_CLOSE_S = 2.0
# A side that takes nothing for this long is given up.
_SEND_S = 15.0
# Codes that stand for "no code was received": they may not be sent.
_UNSENDABLE = frozenset({1005, 1006, 1015})
_PASSED_ON = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG})

_open = Gauge("clarion_websockets", "Browsers connected.")

log = logs.get(__name__)

Side = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


class Proxy:
    """Pairs each browser's connection with one of its own to the hub."""

    def __init__(self, clients: Clients, life: Life, *, limit: int) -> None:
        self._clients = clients
        self._life = life
        self._limit = limit
        self._browsers: set[web.WebSocketResponse] = set()
        self._connecting = 0

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Pass one connection on for as long as it lasts. 502: the hub is away; 503: full, or draining."""
        if not self._life.serving or len(self._browsers) + self._connecting >= self._limit:
            return _refusal(503, "No further connection can be taken; connect again shortly.")
        if not web.WebSocketResponse().can_prepare(request):
            return _refusal(426, "This path speaks WebSocket only.", {"Upgrade": "websocket"})
        self._connecting += 1
        try:
            hub = await self._reach_hub(request)
        except aiohttp.WSServerHandshakeError as error:
            # The hub's own word, such as 403 for a page of a foreign origin.
            return _refusal(error.status, "The realtime hub refuses this connection.")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("hub_unreachable", error=repr(error))
            return _refusal(502, "The realtime hub does not answer; connect again shortly.")
        finally:
            self._connecting -= 1
        async with hub:
            return await self._pass(request, hub)

    async def close_all(self, _app: web.Application) -> None:
        """Tell every browser to connect again elsewhere."""
        going_away = (
            browser.close(code=WSCloseCode.GOING_AWAY, message=b"restarting") for browser in list(self._browsers)
        )
        await asyncio.gather(*going_away, return_exceptions=True)

    async def _reach_hub(self, request: web.Request) -> aiohttp.ClientWebSocketResponse:
        url = f"{self._clients.hub_url}{PATH}"
        if request.query_string:
            url = f"{url}?{request.query_string}"
        async with asyncio.timeout(_CONNECT_S):
            return await self._clients.hub.ws_connect(
                url,
                origin=request.headers.get("Origin"),
                protocols=_protocols(request),
                timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S),
                # Both ends have their own pings: these pass through like everything else.
                autoping=False,
                autoclose=False,
                max_msg_size=MAX_FROM_HUB,
            )

    async def _pass(self, request: web.Request, hub: aiohttp.ClientWebSocketResponse) -> web.StreamResponse:
        browser = web.WebSocketResponse(
            protocols=(hub.protocol,) if hub.protocol else (),
            timeout=_CLOSE_S,
            autoping=False,
            autoclose=False,
            compress=False,
            max_msg_size=MAX_FROM_BROWSER,
        )
        try:
            await browser.prepare(request)
        except ConnectionError:
            return _refusal(400, "The browser left before its connection stood.")
        self._browsers.add(browser)
        _open.inc()
        try:
            code, reason = await _relay_both(browser, hub)
            await _close(hub, code, reason)
            if not await _close(browser, code, reason) and request.transport is not None:
                request.transport.abort()
        finally:
            self._browsers.discard(browser)
            _open.dec()
        return browser


def add_routes(app: web.Application, clients: Clients, *, limit: int) -> None:
    """Serve the one path, and nothing else of the hub's."""
    proxy = Proxy(clients, app[LIFE], limit=limit)
    app.router.add_get(PATH, proxy.connect, allow_head=False)
    app.on_shutdown.append(proxy.close_all)


async def _relay_both(browser: web.WebSocketResponse, hub: aiohttp.ClientWebSocketResponse) -> tuple[int, bytes]:
    """Pass frames both ways until one side ends; return how: a close code and its reason."""
    ways = (
        # A hub that vanished is back shortly; a browser that vanished is gone.
        asyncio.create_task(_relay(hub, browser, vanished=WSCloseCode.SERVICE_RESTART)),
        asyncio.create_task(_relay(browser, hub, vanished=WSCloseCode.GOING_AWAY)),
    )
    try:
        done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
    return done.pop().result()


async def _relay(source: Side, target: Side, *, vanished: int) -> tuple[int, bytes]:
    while True:
        message = await source.receive()
        if message.type not in _PASSED_ON:
            return _how_it_ended(message, vanished)
        try:
            async with asyncio.timeout(_SEND_S):
                await _send(target, message)
        except ConnectionError:
            return vanished, b""
        except TimeoutError:
            return WSCloseCode.TRY_AGAIN_LATER, b"too slow"


async def _send(target: Side, message: aiohttp.WSMessage) -> None:
    if message.type is WSMsgType.TEXT:
        await target.send_str(message.data)
    elif message.type is WSMsgType.BINARY:
        await target.send_bytes(message.data)
    elif message.type is WSMsgType.PING:
        await target.ping(message.data)
    else:
        await target.pong(message.data)


def _how_it_ended(message: aiohttp.WSMessage, vanished: int) -> tuple[int, bytes]:
    if message.type is WSMsgType.CLOSE and message.data not in _UNSENDABLE:
        return message.data or WSCloseCode.OK, (message.extra or "").encode()
    if message.type is WSMsgType.ERROR and isinstance(message.data, aiohttp.WebSocketError):
        return message.data.code, b""
    return vanished, b""


async def _close(side: Side, code: int, reason: bytes) -> bool:
    """End one side; tell whether it took the goodbye in time."""
    try:
        async with asyncio.timeout(_CLOSE_S):
            await side.close(code=code, message=reason)
    except TimeoutError:
        return False
    return True


def _protocols(request: web.Request) -> list[str]:
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    return [name.strip() for name in offered.split(",") if name.strip()]


def _refusal(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"statusCode": status, "error": HTTPStatus(status).phrase, "message": message}
    return json_reply(body, status=status, headers=headers)
