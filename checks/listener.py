"""A client of the realtime hub: its JSON protocol over a WebSocket, with recovery.

What `make run` installs has no client library for it, and a check should not trust one.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from checks.waiting import CheckError, expect

_ANSWER_S = 30.0


@dataclass
class Publication:
    """A publication and its arrival time (time.monotonic)."""

    channel: str
    data: dict[str, Any]
    at: float


@dataclass
class Channel:
    """A channel and the position of its last publication."""

    epoch: str = ""
    offset: int = 0


@dataclass
class Connection:
    """A WebSocket that has connected."""

    socket: aiohttp.ClientWebSocketResponse
    on_push: "asyncio.Queue[Publication]" = field(default_factory=asyncio.Queue)
    positions: dict[str, Channel] = field(default_factory=dict)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: dict[int, "asyncio.Future[dict[str, Any]]"] = field(default_factory=dict)
    _last: int = 0

    async def ask(self, command: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send a command and return its reply, which may be an error. Raises CheckError without a reply."""
        self._last += 1
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[self._last] = future
        await self.socket.send_str(json.dumps({"id": self._last, command: body}))
        try:
            async with asyncio.timeout(_ANSWER_S):
                return await future
        except TimeoutError:
            raise CheckError(f"the hub did not answer {command} within {_ANSWER_S:g} s") from None

    async def subscribe(self, channel: str) -> dict[str, Any]:
        """Subscribe, with recovery after a break. "recovered" in the reply means that nothing was missed."""
        known = self.positions.get(channel)
        body: dict[str, Any] = {"channel": channel}
        if known is not None:
            body |= {"recover": True, "epoch": known.epoch, "offset": known.offset}
        reply = await self.ask("subscribe", body)
        if "error" in reply:
            return reply
        answer = reply["subscribe"]
        position = self.positions[channel] = Channel(answer.get("epoch", ""), answer.get("offset", 0))
        for publication in answer.get("publications", []):
            self._publish(channel, publication)
        position.offset = max(position.offset, answer.get("offset", 0))
        return reply

    async def run(self) -> None:
        """Read until the connection ends."""
        try:
            async for message in self.socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                for line in message.data.splitlines():
                    await self._frame(json.loads(line))
        finally:
            self.ended.set()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(CheckError("the connection ended"))
                    future.exception()

    async def _frame(self, frame: dict[str, Any]) -> None:
        if not frame:
            await self.socket.send_str("{}")
        elif "push" in frame:
            push = frame["push"]
            if "pub" in push:
                self._publish(push["channel"], push["pub"])
        elif (future := self._waiting.pop(frame.get("id", 0), None)) is not None and not future.done():
            future.set_result(frame)

    def _publish(self, channel: str, publication: dict[str, Any]) -> None:
        position = self.positions.setdefault(channel, Channel())
        position.offset = max(position.offset, publication.get("offset", 0))
        self.on_push.put_nowait(Publication(channel, publication["data"], time.monotonic()))


@asynccontextmanager
async def connected(
    session: aiohttp.ClientSession,
    url: str,
    token: str,
    *,
    queue: "asyncio.Queue[Publication] | None" = None,
    positions: dict[str, Channel] | None = None,
) -> AsyncIterator[Connection]:
    """Connect through the gateway at url as the bearer of token. Raises CheckError where the hub refuses.

    queue, positions: of an earlier connection, to go on where it ended.
    """
    address = url.replace("http", "ws", 1) + "/connection/websocket"
    # No deadline for the connection as a whole, unlike the session's requests.
    async with session.ws_connect(address, timeout=aiohttp.ClientWSTimeout(ws_close=1.0), max_msg_size=0) as socket:
        connection = Connection(socket, queue or asyncio.Queue(), positions if positions is not None else {})
        reading = asyncio.create_task(connection.run())
        try:
            reply = await connection.ask("connect", {"token": token})
            expect("connect" in reply, f"the hub refused the connection: {reply}")
            yield connection
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, CheckError, aiohttp.ClientError, ConnectionError):
                await reading
