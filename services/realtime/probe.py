"""Tests a running hub from outside, as a browser would, and checks that it refuses what it must refuse.

A configuration file may not be the one in use (environment variables, flags, another server at the address), so the
hub's behaviour is tested.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from services.realtime.tokens import Tokens

WEBSOCKET_PATH = "/connection/websocket"

_PERMISSION_DENIED = 103
_NAMESPACE = "clarion_probe"


class _Fault(msgspec.Struct):
    code: int = 0
    message: str = ""
    temporary: bool = False


class _Reply(msgspec.Struct):
    """One line from the hub, with the fields that are used here."""

    id: int = 0
    error: _Fault | None = None
    connect: dict[str, Any] | None = None
    subscribe: dict[str, Any] | None = None
    publish: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Reply).decode
# Stands for a connection that the hub closed instead of answering.
_CLOSED = _Reply()


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """The result of a probe. faults: one sentence each. A reachable hub without faults is safe."""

    reachable: bool
    faults: tuple[str, ...] = ()
    # Why it was not reachable.
    detail: str = ""

    @property
    def is_safe(self) -> bool:
        """Whether the hub answered everything as required."""
        return self.reachable and not self.faults


class _UnclearError(Exception):
    """The hub closed the connection or reported a temporary error, so the probe has no result."""


async def probe(url: str, token_secret: str, *, deadline: float = 3.0) -> ProbeReport:
    """Test the hub at url ("http://host:port"). deadline: seconds. Never raises because of the hub's behaviour."""
    tokens = Tokens(token_secret)
    try:
        async with asyncio.timeout(deadline), aiohttp.ClientSession() as session:
            hub = _Hub(session, url)
            faults = [
                *await _connections(hub),
                *await _subscriptions(hub, tokens),
                *await _api(hub),
            ]
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError, _UnclearError) as error:
        return ProbeReport(reachable=False, detail=f"{type(error).__name__}: {error}"[:200])
    return ProbeReport(reachable=True, faults=tuple(faults))


@dataclass(frozen=True, slots=True)
class _Hub:
    session: aiohttp.ClientSession
    url: str

    @asynccontextmanager
    async def connect(self, token: str) -> AsyncIterator[tuple["_Wire", _Reply]]:
        """Open a connection and yield it with the reply to connect."""
        async with self.session.ws_connect(self.url.rstrip("/") + WEBSOCKET_PATH) as socket:
            wire = _Wire(socket)
            yield wire, await wire.ask("connect", {"token": token} if token else {})


class _Wire:
    """Speaks the hub's client protocol: JSON commands with ids, one per line."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._last = 0

    async def ask(self, command: str, body: dict[str, Any]) -> _Reply:
        """Return the reply to one command, or _CLOSED. Raises ValueError for a line that is not a Centrifugo reply."""
        self._last += 1
        await self._socket.send_json({"id": self._last, command: body})
        while True:
            message = await self._socket.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                return _CLOSED
            for line in message.data.splitlines():
                reply = _decode(line or "{}")
                if reply.id == self._last:
                    return reply


async def _connections(hub: _Hub) -> list[str]:
    """Check that connections without a valid token are refused."""
    faults = []
    async with hub.connect("") as (_, answer):
        if answer.connect is not None:
            faults.append("It accepts connections without a token.")
    forged = Tokens(secrets.token_hex(32)).issue(_name())
    async with hub.connect(forged) as (_, answer):
        if answer.connect is not None:
            faults.append("It accepts tokens signed with another secret.")
    return faults


async def _subscriptions(hub: _Hub, tokens: Tokens) -> list[str]:
    """Check that a user can read their own channels and do nothing else."""
    mine, theirs = _name(), _name()
    async with hub.connect(tokens.issue(mine)) as (wire, answer):
        if answer.connect is None:
            if answer is _CLOSED:
                return ["It does not accept our tokens: its hmac_secret_key must be CLARION_CENTRIFUGO_TOKEN_SECRET."]
            _be_patient(answer)
            return [f"It refuses our tokens: {_error(answer)}."]
        own = f"{_NAMESPACE}#{mine}"
        faults = []
        if (reply := await wire.ask("subscribe", {"channel": own})).subscribe is None:
            _be_patient(reply)
            faults.append(f"It refuses a user's own channel: {_error(reply)}; is allow_user_limited_channels on?")
        attempts = (
            ("another user's channel", "subscribe", {"channel": f"{_NAMESPACE}#{theirs}"}),
            ("a channel without a user", "subscribe", {"channel": _NAMESPACE}),
            ("publishing from a page", "publish", {"channel": own, "data": {}}),
        )
        for what, command, body in attempts:
            reply = await wire.ask(command, body)
            if getattr(reply, command) is not None:
                faults.append(f"It allows {what}.")
            elif reply.error is None or reply.error.code != _PERMISSION_DENIED:
                _be_patient(reply)
                faults.append(f"It answers {what} with {_error(reply)}, not with {_PERMISSION_DENIED}.")
        return faults


async def _api(hub: _Hub) -> list[str]:
    """Check that the server API requires a key. The publication is empty, so it has no effect if it does not."""
    async with hub.session.post(f"{hub.url.rstrip('/')}/api/publish", json={}) as answer:
        return [] if answer.status in (401, 403, 404) else ["Its HTTP API answers without a key."]


def _be_patient(reply: _Reply) -> None:
    """Raise _UnclearError if the hub closed the connection or reported a temporary error: this proves nothing."""
    if reply.error is None or reply.error.temporary:
        raise _UnclearError(_error(reply))


def _error(reply: _Reply) -> str:
    return f"{reply.error.code} {reply.error.message}" if reply.error else "a closed connection"


def _name() -> str:
    return secrets.token_hex(16)
