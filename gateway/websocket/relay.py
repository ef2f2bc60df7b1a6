"""Passes frames both ways until one side, or the gateway, ends the connection.

Frames of the hub are passed on unchanged, commands of the browser if session.py allows them. Nothing is buffered: each
side is read as fast as the other one reads. So a slow browser slows only its own connection to the hub, which closes
it if it falls too far behind.
"""

import asyncio
from collections.abc import Awaitable

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, web

from gateway.websocket.endings import BAD_REQUEST, RESTARTING, TOO_SLOW, Ending
from gateway.websocket.session import BrowserSession, Checked
from gateway.websocket.slots import ConnectionSlot

# A side that reads nothing for this long is closed, in seconds.
_SEND_S = 15.0
# Codes that mean "no code was received". They must not be sent.
_UNSENDABLE = frozenset({1005, 1006, 1015})
_PASSED_ON = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG})
# The ending for the other side when one side disappears without a code.
_HUB_VANISHED = RESTARTING
_BROWSER_VANISHED = Ending(WSCloseCode.GOING_AWAY, b"")

Browser = web.WebSocketResponse
Hub = aiohttp.ClientWebSocketResponse
Side = Browser | Hub


async def relay(browser: Browser, hub: Hub, session: BrowserSession, slot: ConnectionSlot) -> Ending:
    """Relay both ways and return how the connection ended."""
    ways = (
        asyncio.create_task(_from_hub(browser, hub, session)),
        asyncio.create_task(_from_browser(browser, hub, session)),
    )
    try:
        done, _ = await asyncio.wait((*ways, slot.ended), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
    return done.pop().result()


async def _from_hub(browser: Browser, hub: Hub, session: BrowserSession) -> Ending:
    while True:
        message = await hub.receive()
        if message.type not in _PASSED_ON:
            return _how_it_ended(message, _HUB_VANISHED)
        checked = None
        if session.awaits_reply and message.type is WSMsgType.TEXT:
            checked = session.read(message.data)
            if checked.ending is not None:
                return checked.ending
        if (ending := await _sent(_send(browser, message), _BROWSER_VANISHED)) is not None:
            return ending
        if checked is not None and (ending := await _carry_out(browser, hub, checked)) is not None:
            return ending


async def _from_browser(browser: Browser, hub: Hub, session: BrowserSession) -> Ending:
    while True:
        message = await browser.receive()
        if message.type not in _PASSED_ON:
            return _how_it_ended(message, _BROWSER_VANISHED)
        if message.type in (WSMsgType.PING, WSMsgType.PONG):
            ending = session.count() or await _sent(_send(hub, message), _HUB_VANISHED)
        else:
            ending = await _carry_out(browser, hub, _checked(session, message.data))
        if ending is not None:
            return ending


def _checked(session: BrowserSession, data: str | bytes) -> Checked:
    """Check a frame. The hub also reads JSON in binary frames."""
    try:
        return session.check(data if isinstance(data, str) else data.decode())
    except UnicodeDecodeError:
        return Checked(ending=BAD_REQUEST)


async def _carry_out(browser: Browser, hub: Hub, checked: Checked) -> Ending | None:
    if checked.ending is not None:
        return checked.ending
    if checked.for_hub:
        ending = await _sent(hub.send_str("\n".join(checked.for_hub)), _HUB_VANISHED)
        if ending is not None:
            return ending
    if checked.for_browser:
        return await _sent(browser.send_str("\n".join(checked.for_browser)), _BROWSER_VANISHED)
    return None


async def _send(target: Side, message: aiohttp.WSMessage) -> None:
    if message.type is WSMsgType.TEXT:
        await target.send_str(message.data)
    elif message.type is WSMsgType.BINARY:
        await target.send_bytes(message.data)
    elif message.type is WSMsgType.PING:
        await target.ping(message.data)
    else:
        await target.pong(message.data)


async def _sent(sending: Awaitable[None], vanished: Ending) -> Ending | None:
    """Wait until the frame is sent. Return the ending of the connection if it cannot be sent."""
    try:
        async with asyncio.timeout(_SEND_S):
            await sending
    except ConnectionError:
        return vanished
    except TimeoutError:
        return TOO_SLOW
    return None


def _how_it_ended(message: aiohttp.WSMessage, vanished: Ending) -> Ending:
    if message.type is WSMsgType.CLOSE and message.data not in _UNSENDABLE:
        return Ending(message.data or WSCloseCode.OK, (message.extra or "").encode())
    if message.type is WSMsgType.ERROR and isinstance(message.data, aiohttp.WebSocketError):
        return Ending(message.data.code, b"")
    return vanished
