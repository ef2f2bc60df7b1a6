"""Requests whose heads never end, without a key: 650 connections with 120 headers of 8 KB each."""

import asyncio
import contextlib
import time
from urllib.parse import urlsplit

from checks.siege.scene import ATTACKER, MIB, Scene, mib
from checks.siege.siege import Attack

CONNECTIONS = 650
_HEADERS, _HEADER_BYTES = 120, 8_000
_HOLD_S = 12.0
_SEND_S = 10.0
# What the gateway may take for all of it.
_MORE_BYTES = 96 * MIB


async def _attack(scene: Scene) -> None:
    before = scene.taken("gateway")
    number = scene.count(CONNECTIONS, 10)
    for title, addresses in (("one address", [ATTACKER]), ("fifty addresses", [f"127.0.66.{n}" for n in range(1, 51)])):
        began = time.monotonic()
        heads = [Head(scene.running.url, addresses[one % len(addresses)]) for one in range(number)]
        try:
            await asyncio.gather(*(head.send() for head in heads))
            await asyncio.sleep(max(0.0, _HOLD_S - (time.monotonic() - began)))
            still = sum(head.open for head in heads)
        finally:
            for head in heads:
                head.close()
        sent = sum(head.sent for head in heads)
        scene.notes.append(
            f"{number} connections from {title}: {mib(sent)} sent, {still} still open after {_HOLD_S:.0f} s,"
            f" first closed after {min((head.closed_s for head in heads if head.closed_s), default=0):.1f} s"
        )
        # A head has 10 s; the rest of the time is the machine's.
        scene.check(not still, f"{still} unfinished heads were still served after {_HOLD_S:.0f} s")
        await asyncio.sleep(1.0)
    peak = scene.watch.peaks["gateway"]
    scene.check(peak - before <= _MORE_BYTES, f"the gateway's memory went from {mib(before)} to {mib(peak)}")


class Head:
    """One connection with an endless head."""

    def __init__(self, url: str, address: str) -> None:
        self._url = urlsplit(url)
        self._address = address
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._began = time.monotonic()
        self.open = False
        self.sent = 0
        self.closed_s = 0.0

    async def send(self) -> None:
        """Connect and send until the server stops it."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_SEND_S):
                await self._send()

    async def _send(self) -> None:
        reader, self._writer = await asyncio.open_connection(
            self._url.hostname, self._url.port, local_addr=(self._address, 0)
        )
        self.open = True
        self._reading = asyncio.create_task(self._until_closed(reader))
        self._writer.write(b"GET / HTTP/1.1\r\nHost: clarion\r\n")
        for number in range(_HEADERS):
            line = f"x-{number}: ".encode() + b"a" * _HEADER_BYTES + b"\r\n"
            self._writer.write(line)
            await self._writer.drain()
            self.sent += len(line)

    async def _until_closed(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while await reader.read(65536):
                pass
        self.open = False
        self.closed_s = time.monotonic() - self._began

    def close(self) -> None:
        """Close the connection."""
        if self._reading is not None:
            self._reading.cancel()
        if self._writer is not None:
            self._writer.transport.abort()


ATTACK = Attack("a3", "request heads that never end, without a key", _attack)
