"""Tries a running hub from outside, as a browser would: is refused what must be.

A configuration file can be read and still not be the one in force (environment, flags, another server behind the
address), so the hub's behaviour decides.
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
    """One line of the hub's; the fields of it that matter here."""

    id: int = 0
    error: _Fault | None = None
    connect: dict[str, Any] | None = None
    subscribe: dict[str, Any] | None = None
    publish: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Reply).decode
# Where the hub closes the connection instead of answering.
_CLOSED = _Reply()


@dataclass(frozen=True, slots=True)
class Report:
    """What a probe found. faults: one sentence each; without any and reachable, the hub is safe."""

    reachable: bool
    faults: tuple[str, ...] = ()
    # Why it was not reachable.
    detail: str = ""

    @property
    def is_safe(self) -> bool:
        """Whether the hub answered everything as it must."""
        return self.reachable and not self.faults


class _UnclearError(Exception):
    """The hub broke off or asked for patience: nothing can be said."""


async def probe(url: str, token_secret: str, *, deadline: float = 3.0) -> Report:
    """Try the hub at url ("http://host:port"). Never raises for what the hub does."""
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
        return Report(reachable=False, detail=f"{type(error).__name__}: {error}"[:200])
    return Report(reachable=True, faults=tuple(faults))


@dataclass(frozen=True, slots=True)
class _Hub:
    session: aiohttp.ClientSession
    url: str

    @asynccontextmanager
    async def connect(self, token: str) -> AsyncIterator[tuple["_Wire", _Reply]]:
        """Open a connection and yield it with the answer to connect."""
        async with self.session.ws_connect(self.url.rstrip("/") + WEBSOCKET_PATH) as socket:
            wire = _Wire(socket)
            yield wire, await wire.ask("connect", {"token": token} if token else {})


class _Wire:
    """The hub's client protocol: JSON commands with ids, one line each."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._last = 0

    async def ask(self, command: str, body: dict[str, Any]) -> _Reply:
        """Return the reply to one command, or _CLOSED. Raises ValueError for what no Centrifugo says."""
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
    """See that nobody gets in without a token of ours."""
    faults = []
    async with hub.connect("") as (_, answer):
        if answer.connect is not None:
            faults.append("It lets in connections without a token.")
    forged = Tokens(secrets.token_hex(32)).issue(_name())
    async with hub.connect(forged) as (_, answer):
        if answer.connect is not None:
            faults.append("It lets in tokens signed with another secret.")
    return faults


async def _subscriptions(hub: _Hub, tokens: Tokens) -> list[str]:
    """See that a user reads their own channels and does nothing else."""
    mine, theirs = _name(), _name()
    async with hub.connect(tokens.issue(mine)) as (wire, answer):
        if answer.connect is None:
            if answer is _CLOSED:
                return ["It does not take our tokens: is its hmac_secret_key CLARION_CENTRIFUGO_TOKEN_SECRET?"]
            _be_patient(answer)
            return [f"It refuses our tokens: {_error(answer)}."]
        own = f"{_NAMESPACE}#{mine}"
        faults = []
        if (reply := await wire.ask("subscribe", {"channel": own})).subscribe is None:
            _be_patient(reply)
            faults.append(f"It refuses a user's own channel: {_error(reply)}; is allow_user_limited_channels on?")
        attempts = (
            ("another user's channel", "subscribe", {"channel": f"{_NAMESPACE}#{theirs}"}),
            ("a channel that is nobody's", "subscribe", {"channel": _NAMESPACE}),
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
    """See that the server API wants a key. An empty publication has no effect where it does not."""
    async with hub.session.post(f"{hub.url.rstrip('/')}/api/publish", json={}) as answer:
        return [] if answer.status in (401, 403, 404) else ["Its HTTP API answers without a key."]


def _be_patient(reply: _Reply) -> None:
    """Stop where the hub closed the connection or reports a passing error: that proves nothing."""
    if reply.error is None or reply.error.temporary:
        raise _UnclearError(_error(reply))


def _error(reply: _Reply) -> str:
    return f"{reply.error.code} {reply.error.message}" if reply.error else "a closed connection"


def _name() -> str:
    return secrets.token_hex(16)
