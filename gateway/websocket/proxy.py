"""The proxy for one WebSocket: take a slot, connect to the hub, relay, close."""

import asyncio

import aiohttp
from aiohttp import WSCloseCode, web

from gateway.addresses import Proxies
from gateway.clients import Clients
from gateway.life import Life
from gateway.replies import neutral_reply
from gateway.websocket.endings import STALE, Ending
from gateway.websocket.relay import Browser, Hub, Side, relay
from gateway.websocket.session import BrowserSession
from gateway.websocket.slots import ConnectionSlot, ConnectionSlots, FullError
from runtime import logs

PATH = "/connection/websocket"
# The largest message in bytes. Commands of a browser are small; replies of the hub may contain a history.
MAX_FROM_BROWSER = 64 * 1024
MAX_FROM_HUB = 4 * 1024 * 1024
_PROTOCOL = "centrifuge-json"
_CONNECT_S = 5.0
_CLOSE_S = 2.0
# The same for connections that never authenticated, in seconds.
_CLOSE_STRANGER_S = 0.2

_RETRY = {"Retry-After": "5"}

log = logs.get(__name__)


class Proxy:
    """Opens a connection to the hub for each browser."""

    def __init__(
        self, clients: Clients, life: Life, proxies: Proxies, slots: ConnectionSlots, *, connect_s: float
    ) -> None:
        self._clients = clients
        self._life = life
        self._proxies = proxies
        self._slots = slots
        self._connect_s = connect_s
        self._browsers: set[Browser] = set()

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Relay one connection until it ends. 502: no hub; 429: too many connections; 503: the same, or draining."""
        if not self._life.serving:
            return neutral_reply(503, "The gateway is shutting down; connect again shortly.", _RETRY)
        if not web.WebSocketResponse().can_prepare(request):
            return neutral_reply(426, "This path speaks WebSocket only.", {"Upgrade": "websocket"})
        if _wants_protobuf(request):
            return neutral_reply(
                400, "This path speaks the client protocol in JSON only; use the client without protobuf."
            )
        try:
            slot = self._slots.enter(self._proxies.client_of(request))
        except FullError as error:
            return neutral_reply(error.status, str(error), _RETRY)
        deadline = asyncio.get_running_loop().call_later(self._connect_s, self._end_stale, slot)
        try:
            return await self._join(request, slot)
        finally:
            deadline.cancel()
            self._slots.leave(slot)

    async def close_all(self, _app: web.Application) -> None:
        """Ask every browser to reconnect."""
        going_away = (
            browser.close(code=WSCloseCode.GOING_AWAY, message=b"restarting") for browser in list(self._browsers)
        )
        await asyncio.gather(*going_away, return_exceptions=True)

    def _end_stale(self, slot: ConnectionSlot) -> None:
        if slot.principal is None:
            slot.end(STALE)

    async def _join(self, request: web.Request, slot: ConnectionSlot) -> web.StreamResponse:
        try:
            hub = await self._reach_hub(request)
        except aiohttp.WSServerHandshakeError as error:
            # The hub refused, for example with 403 for a foreign origin.
            return neutral_reply(error.status, "The realtime hub refuses this connection.")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("hub_unreachable", error=repr(error))
            return neutral_reply(502, "The realtime hub does not answer; connect again shortly.")
        async with hub:
            return await self._pass(request, hub, slot)

    async def _reach_hub(self, request: web.Request) -> Hub:
        """Connect to the hub. The query is not passed on, because it could choose another protocol."""
        async with asyncio.timeout(_CONNECT_S):
            return await self._clients.hub.ws_connect(
                f"{self._clients.hub_url}{PATH}",
                origin=request.headers.get("Origin"),
                protocols=[name for name in _protocols(request) if name == _PROTOCOL],
                timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_S),
                # Both ends send their own pings, which are passed on.
                autoping=False,
                autoclose=False,
                max_msg_size=MAX_FROM_HUB,
            )

    async def _pass(self, request: web.Request, hub: Hub, slot: ConnectionSlot) -> web.StreamResponse:
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
            return neutral_reply(400, "The browser disconnected too early.")
        self._browsers.add(browser)
        self._slots.listen(slot)
        try:
            ending = await relay(browser, hub, BrowserSession(slot, self._slots), slot)
            await self._close_both(request, browser, hub, ending, is_known=slot.principal is not None)
        finally:
            self._browsers.discard(browser)
        return browser

    async def _close_both(
        self, request: web.Request, browser: Browser, hub: Hub, ending: Ending, *, is_known: bool
    ) -> None:
        patience = _CLOSE_S if is_known else _CLOSE_STRANGER_S
        await _close(hub, ending, patience)
        if not await _close(browser, ending, patience) and request.transport is not None:
            request.transport.abort()


async def _close(side: Side, ending: Ending, patience: float) -> bool:
    """Close one side. Return whether it closed in time."""
    try:
        async with asyncio.timeout(patience):
            await side.close(code=ending.code, message=ending.reason)
    except TimeoutError:
        return False
    return True


def _wants_protobuf(request: web.Request) -> bool:
    """Return whether the browser asks for Protobuf, by subprotocol or query."""
    protocols = _protocols(request)
    if protocols and _PROTOCOL not in protocols and "centrifuge-protobuf" in protocols:
        return True
    return "protobuf" in (*request.query.getall("format", []), *request.query.getall("cf_protocol", []))


def _protocols(request: web.Request) -> list[str]:
    offered = ",".join(request.headers.getall("Sec-WebSocket-Protocol", []))
    return [name.strip() for name in offered.split(",") if name.strip()]
