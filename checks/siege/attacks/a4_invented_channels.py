"""One page user's token subscribes to invented channels that end in its own principal, at the gateway and the hub.

A hundred at a time, each left again at once: a connection may hold 128, and the hub remembers each channel's history.
"""

import asyncio
import contextlib
import json
import time
from collections import Counter
from typing import Any

import aiohttp

from checks.siege.scene import MIB, Scene, mib
from checks.siege.siege import Attack

SUBSCRIPTIONS = 300_000
_PER_FRAME = 100
_UNDER_WAY = 4_000
_SECONDS = 120.0
_SILENT_S = 8.0
# What the hub may take for all of it: from the world's side, and from inside the network, where only we are.
_MORE_BYTES = {"the gateway": 24 * MIB, "the hub itself": 128 * MIB}


async def _attack(scene: Scene) -> None:
    number = scene.count(SUBSCRIPTIONS, 1_000)
    hub = scene.running.variables["CLARION_CENTRIFUGO_URL"]
    for title, url in (("the gateway", scene.running.url), ("the hub itself", hub)):
        before = scene.taken("hub")
        scene.watch.restart_peaks("hub")
        granted = await scene.client.tenant.token(f"intruder-{title[-3:]}")
        principal = granted["channels"][0].partition("#")[2]
        flood = Flood(granted["token"], principal)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SECONDS):
                await flood.run(scene.client.http.session, url, number)
        told = ", ".join(f"{times} x {what}" for what, times in flood.answers.most_common(4))
        scene.notes.append(f"through {title}: {flood.sent:,} of {number:,} asked for, {told or 'no answer'}{flood.end}")
        if url != hub:
            accepted = flood.answers["subscribed"]
            scene.check(accepted == 0, f"{accepted:,} channels that nothing issued could be subscribed to")
        await asyncio.sleep(2.0)
        peak, after = scene.watch.peaks["hub"], scene.taken("hub")
        scene.check(
            peak - before <= _MORE_BYTES[title],
            f"the hub's memory went from {mib(before)} to {mib(peak)}, {mib(after)} after",
        )


class Flood:
    """One connection that subscribes. answers: counts of replies. end: how the server closed it, if it did."""

    def __init__(self, token: str, principal: str) -> None:
        self._token = token
        self._principal = principal
        self._room = asyncio.Semaphore(_UNDER_WAY)
        self.answers: Counter[str] = Counter()
        self.sent = 0
        self.end = ""

    async def run(self, session: aiohttp.ClientSession, url: str, number: int) -> None:
        """Send this many subscriptions, and wait for the replies or the end of the connection."""
        address = url.replace("http", "ws", 1) + "/connection/websocket"
        async with session.ws_connect(address, max_msg_size=0, timeout=aiohttp.ClientWSTimeout(ws_close=1.0)) as socket:
            await socket.send_str(json.dumps({"id": 1, "connect": {"token": self._token}}))
            await socket.receive(timeout=_SILENT_S)
            reading = asyncio.create_task(self._read(socket))
            sending = asyncio.create_task(self._send(socket, number))
            try:
                await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
                if sending.done() and not reading.done():
                    await self._answered(reading)
            finally:
                for task in (reading, sending):
                    task.cancel()
                await asyncio.gather(reading, sending, return_exceptions=True)

    async def _send(self, socket: aiohttp.ClientWebSocketResponse, number: int) -> None:
        for first in range(0, number, _PER_FRAME):
            wanted = range(first, min(number, first + _PER_FRAME))
            for _ in wanted:
                await self._room.acquire()
            channels = [f"invented{one}#{self._principal}" for one in wanted]
            commands = [
                {"id": 2 * one + 2, "subscribe": {"channel": channel}}
                for one, channel in zip(wanted, channels, strict=True)
            ]
            commands += [
                {"id": 2 * one + 3, "unsubscribe": {"channel": channel}}
                for one, channel in zip(wanted, channels, strict=True)
            ]
            await socket.send_str("\n".join(map(json.dumps, commands)))
            self.sent += len(wanted)

    async def _answered(self, reading: "asyncio.Task[None]") -> None:
        """Wait until all are answered, no reply comes for a while, or the connection ends."""
        last, until = -1, 0.0
        while self.answers.total() < self.sent and not reading.done():
            now = time.monotonic()
            if self.answers.total() > last:
                last, until = self.answers.total(), now + _SILENT_S
            elif now > until:
                return
            await asyncio.sleep(0.1)

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            for line in str(message.data).splitlines():
                await self._answer(socket, json.loads(line))
        self.end = f"; the server ended the connection with code {socket.close_code}"

    async def _answer(self, socket: aiohttp.ClientWebSocketResponse, frame: dict[str, Any]) -> None:
        if not frame:
            await socket.send_str("{}")
        elif frame.get("id", 1) % 2 == 0:
            self._room.release()
            error = frame.get("error", {})
            self.answers[f"error {error.get('code')} {error.get('message')}" if error else "subscribed"] += 1


ATTACK = Attack("a4", "subscriptions of one page user to invented channels", _attack)
