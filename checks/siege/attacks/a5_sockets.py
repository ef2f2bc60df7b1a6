"""WebSockets up to the gateway's limit: without a token, then of one token; whether another user can still connect."""

import asyncio
import contextlib
import json

import aiohttp

from checks import listener
from checks.siege.scene import ATTACKER, Scene
from checks.siege.siege import Attack
from checks.waiting import CheckError

LIMIT = 300
# More than the limit: what is refused is tried again from the next address.
_SOCKETS = 360
_OTHERS = 5
_HOLD_S = 3.0
_MANY = [f"127.0.66.{number}" for number in range(1, 61)]


async def _attack(scene: Scene) -> None:
    token = (await scene.client.tenant.token("hoarder"))["token"]
    for title, addresses, shown in (
        ("without a token from one address", [ATTACKER], None),
        ("without a token from sixty addresses", _MANY, None),
        ("of one token from one address", [ATTACKER], token),
        ("of one token from sixty addresses", _MANY, token),
    ):
        async with contextlib.AsyncExitStack() as stack:
            sessions = [await stack.enter_async_context(_session(address)) for address in addresses]
            opened = [
                _open(stack, sessions[number % len(sessions)], scene.running.url, shown) for number in range(_SOCKETS)
            ]
            held = sum(await asyncio.gather(*opened))
            await asyncio.sleep(_HOLD_S)
            connected = [await _other_connects(scene, number) for number in range(_OTHERS)]
            scene.check(all(connected), f"{held} sockets {title}: {sum(connected)} of {_OTHERS} others could connect")
        await asyncio.sleep(1.0)


def _session(address: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, local_addr=(address, 0)))


async def _open(stack: contextlib.AsyncExitStack, session: aiohttp.ClientSession, url: str, token: str | None) -> bool:
    """Open one socket until the stack closes it. Return whether the gateway accepted it."""
    address = url.replace("http", "ws", 1) + "/connection/websocket"
    try:
        async with asyncio.timeout(10):
            timeout = aiohttp.ClientWSTimeout(ws_close=0.2)
            socket = await stack.enter_async_context(session.ws_connect(address, timeout=timeout))
            if token is not None:
                await socket.send_str(json.dumps({"id": 1, "connect": {"token": token}}))
                return "connect" in json.loads((await socket.receive()).data)
    except (aiohttp.ClientError, TimeoutError, OSError, TypeError, ValueError):
        return False
    return True


async def _other_connects(scene: Scene, number: int) -> bool:
    try:
        granted = await scene.client.tenant.token(f"other-{number}")
        async with listener.connected(scene.client.http.session, scene.running.url, granted["token"]):
            return True
    except (aiohttp.ClientError, CheckError, TimeoutError, OSError):
        return False


ATTACK = Attack(
    "a5",
    "WebSockets up to the gateway's limit, without a token and of one token",
    _attack,
    environment={"CLARION_MAX_WEBSOCKETS": str(LIMIT)},
)
