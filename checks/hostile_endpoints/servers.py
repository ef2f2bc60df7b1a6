"""The hostile servers, a process of their own with the lowest priority: `python -m checks.hostile_endpoints.servers`.

It prints its ports, and what it saw for each line on its standard input; it ends with its standard input. What it
sends is limited in bytes per second, so that it cannot take the processor from those it is compared with.
"""

import asyncio
import contextlib
import gzip
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import uvloop

from bench.helper import cpu_seconds

ROOT = Path(__file__).parents[2]
_LOWEST_PRIORITY = 19
_GIB = 1024**3
# Bytes that all answers together may have in a second, and in one turn.
_BYTES_PER_S = 32 * 1024**2
_TURN_BYTES = 64 * 1024
_TRICKLE_S = 0.5
_END_S = 10.0

_OK = b"HTTP/1.1 200 OK\r\n"
# Each kilobyte of it becomes a megabyte.
_BOMB = gzip.compress(b"\0" * 16 * 1024**2)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the servers saw. By kind: requests, seconds of the longest connection, bytes taken from it; open now.

    cpu_s: processor seconds of all servers so far.
    """

    requests: dict[str, int]
    longest_s: dict[str, float]
    most_bytes: dict[str, int]
    open: int
    cpu_s: float


class _Throttle:
    """Shares a number of bytes per second among all who send."""

    def __init__(self) -> None:
        self._next = 0.0

    async def take(self, size: int) -> None:
        """Return when so many bytes may be sent."""
        now = time.monotonic()
        self._next = max(self._next, now) + size / _BYTES_PER_S
        await asyncio.sleep(self._next - now)


class _Peer:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, throttle: _Throttle) -> None:
        self.reader = reader
        self.writer = writer
        self.sent = 0
        self._throttle = throttle

    async def request(self) -> None:
        """Read a head; the body is left where it is."""
        await self.reader.readuntil(b"\r\n\r\n")

    async def send(self, data: bytes) -> None:
        """Send within the limit."""
        for at in range(0, len(data), _TURN_BYTES):
            part = data[at : at + _TURN_BYTES]
            await self._throttle.take(len(part))
            if self.writer.transport.is_closing():
                raise ConnectionResetError
            self.writer.write(part)
            await self.writer.drain()
            self.sent += len(part)

    async def until_gone(self) -> None:
        """Return when the other side has closed the connection."""
        while await self.reader.read(_TURN_BYTES):
            pass


async def _hang(peer: _Peer) -> None:
    await peer.until_gone()


async def _trickle(peer: _Peer) -> None:
    await peer.send(_OK + b"Content-Length: 1000000\r\n\r\n")
    while True:
        await peer.send(b"x")
        await asyncio.sleep(_TRICKLE_S)


async def _trickle_head(peer: _Peer) -> None:
    await peer.send(_OK)
    while True:
        await peer.send(b"x: y\r\n")
        await asyncio.sleep(_TRICKLE_S)


async def _reset(peer: _Peer) -> None:
    peer.writer.transport.abort()


async def _headers(peer: _Peer) -> None:
    await peer.send(_OK)
    while True:
        await peer.send(b"x-a: " + b"a" * 8_000 + b"\r\n")


async def _gigabyte(peer: _Peer) -> None:
    await peer.send(_OK + b"Content-Length: %d\r\n\r\n" % _GIB)
    while True:
        await peer.send(b"a" * _TURN_BYTES)


async def _gigabyte_gzip(peer: _Peer) -> None:
    await peer.send(_OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % _GIB)
    while True:
        await peer.send(_BOMB)


KINDS: dict[str, Callable[[_Peer], Awaitable[None]]] = {
    "hangs": _hang,
    "trickles a body": _trickle,
    "trickles headers": _trickle_head,
    "resets": _reset,
    "sends endless headers": _headers,
    "sends a gigabyte": _gigabyte,
    "sends a gigabyte of gzip": _gigabyte_gzip,
}


class _Servers:
    def __init__(self) -> None:
        self._throttle = _Throttle()
        self._requests = dict.fromkeys(KINDS, 0)
        self._longest = dict.fromkeys(KINDS, 0.0)
        self._most = dict.fromkeys(KINDS, 0)
        self._open: dict[object, tuple[str, float]] = {}

    async def start(self, number: int) -> list[int]:
        """Listen; return the ports, the kinds in turn."""
        ports = []
        for _, kind in zip(range(number), _cycle(KINDS), strict=False):
            server = await asyncio.start_server(self._serve(kind), "127.0.0.1", 0, backlog=512)
            ports.append(server.sockets[0].getsockname()[1])
        return ports

    def seen(self) -> Seen:
        """Return what was seen; connections that are open count with the time that they have had."""
        now = time.monotonic()
        longest = dict(self._longest)
        for kind, began in self._open.values():
            longest[kind] = max(longest[kind], now - began)
        return Seen(
            requests=self._requests,
            longest_s=longest,
            most_bytes=self._most,
            open=len(self._open),
            cpu_s=cpu_seconds(),
        )

    def _serve(self, kind: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peer, began, key = _Peer(reader, writer, self._throttle), time.monotonic(), object()
            self._open[key] = kind, began
            try:
                await peer.request()
                self._requests[kind] += 1
                await KINDS[kind](peer)
            except (asyncio.IncompleteReadError, OSError):
                pass
            finally:
                del self._open[key]
                self._longest[kind] = max(self._longest[kind], time.monotonic() - began)
                self._most[kind] = max(self._most[kind], peer.sent)
                writer.transport.abort()

        return serve


def _cycle(kinds: "dict[str, Callable[[_Peer], Awaitable[None]]]") -> Iterator[str]:
    while True:
        yield from kinds


async def _main(number: int) -> None:
    servers = _Servers()
    print(msgspec.json.encode(await servers.start(number)).decode(), flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(msgspec.json.encode(servers.seen()).decode(), flush=True)


class Hostile:
    """The running servers, for the process that started them. ports: of the endpoints, the kinds in turn."""

    def __init__(self, process: asyncio.subprocess.Process, ports: list[int]) -> None:
        self._process = process
        self.ports = ports

    async def seen(self) -> Seen:
        """Return what they saw so far."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise OSError("the hostile servers have no pipes")
        stdin.write(b"\n")
        return msgspec.json.decode(await stdout.readline(), type=Seen)


@asynccontextmanager
async def hostile(number: int) -> AsyncIterator[Hostile]:
    """Run so many servers for a block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "checks.hostile_endpoints.servers",
        str(number),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        if process.stdout is None:
            raise OSError("the hostile servers have no pipes")
        yield Hostile(process, msgspec.json.decode(await process.stdout.readline(), type=list[int]))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        async with asyncio.timeout(_END_S):
            await process.wait()


if __name__ == "__main__":
    os.nice(_LOWEST_PRIORITY)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_main(int(sys.argv[1])))
