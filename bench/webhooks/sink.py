"""The receiver as the bench sees it: starts it, and reads what arrived."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import msgspec

from bench import helper
from bench.sink import Recorded
from bench.webhooks.receiver import Seen

_START_S = 20.0
_POLL_S = 0.1
_decode = msgspec.msgpack.Decoder(Seen).decode


class Receiver:
    """A process with endpoints. It implements bench.sink.Sink for one endpoint."""

    def __init__(self, process: asyncio.subprocess.Process, session: aiohttp.ClientSession, port: int) -> None:
        self.pid = process.pid
        self.port = port
        self._session = session

    async def mark(self) -> None:
        """See Sink."""
        async with self._session.post("/mark") as answer:
            answer.raise_for_status()

    async def wait(self, wanted: int, deadline: float) -> int:
        """See Sink."""
        last, until = -1, time.monotonic() + deadline
        while True:
            async with self._session.get("/count") as answer:
                count = int(await answer.text())
            if count >= wanted:
                return count
            if count > last:
                last, until = count, time.monotonic() + deadline
            elif time.monotonic() > until:
                return count
            await asyncio.sleep(_POLL_S)

    async def read(self) -> list[Recorded]:
        """See Sink."""
        return [Recorded(one.order, "", one.at) for one in (await self.seen()).arrived]

    async def seen(self) -> Seen:
        """Return everything that arrived since the mark."""
        async with self._session.get("/seen") as answer:
            return _decode(await answer.read())


@asynccontextmanager
async def receiver(secrets: Mapping[str, str], port: int) -> AsyncIterator[Receiver]:
    """Run endpoints for the length of an ``async with`` block. secrets: "whsec_…" by path. port: where they listen."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.webhooks.receiver",
        str(port),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=helper.ROOT,
        start_new_session=True,
    )
    try:
        if process.stdin is None or process.stdout is None:
            raise helper.HelperError("The receiver has no pipes.")
        process.stdin.write(json.dumps(dict(secrets)).encode() + b"\n")
        async with asyncio.timeout(_START_S):
            await process.stdout.readline()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            yield Receiver(process, session, port)
    finally:
        await helper.end(process)
