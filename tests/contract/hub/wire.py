"""The client protocol spoken by hand: tokens, and a WebSocket without a client library."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt

from .servers import SECRET, Server

Frame = dict[str, Any]


@dataclass(frozen=True)
class Closed:
    """The server's close frame."""

    code: int
    reason: str


def token_for(user: str, ttl: int | None = 7200, secret: str = SECRET, **claims: Any) -> str:
    """Return an HS256 connection token; `ttl` in seconds, None for one that never expires."""
    if ttl is not None:
        claims["exp"] = int(time.time()) + ttl
    return jwt.encode({"sub": user, **claims}, secret, algorithm="HS256")


class Wire:
    """One WebSocket. Several frames in one message are taken apart."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Take over an open socket."""
        self.socket = socket
        self._waiting: list[Frame] = []

    async def send(self, *commands: Frame) -> None:
        """Send commands in one message."""
        await self.socket.send_str("\n".join(json.dumps(command) for command in commands))

    async def next(self, deadline: float = 30) -> Frame | Closed:
        """Return the next frame, or the close."""
        if not self._waiting:
            message = await self.socket.receive(timeout=deadline)
            if message.type is aiohttp.WSMsgType.CLOSE:
                return Closed(message.data, message.extra or "")
            if message.type is not aiohttp.WSMsgType.TEXT:
                return Closed(self.socket.close_code or 0, f"({message.type.name})")
            self._waiting = [json.loads(line) for line in message.data.splitlines() if line]
        return self._waiting.pop(0)

    async def ask(self, command: Frame) -> Frame | Closed:
        """Send one command and return what comes next."""
        await self.send(command)
        return await self.next()

    async def silent(self, wait: float) -> Frame | Closed | None:
        """Return None if nothing comes within `wait` seconds, else what came."""
        try:
            return await self.next(wait)
        except TimeoutError:
            return None


@asynccontextmanager
async def connected(session: aiohttp.ClientSession, server: Server, token: str) -> AsyncIterator[Wire]:
    """Connect as the bearer of `token`."""
    async with session.ws_connect(server.ws_url) as socket:
        wire = Wire(socket)
        answer = await wire.ask({"id": 1, "connect": {"token": token}})
        assert isinstance(answer, dict), answer
        assert "connect" in answer, answer
        yield wire
