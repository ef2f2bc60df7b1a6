"""A way to PostgreSQL on which one answer can be lost after the server did what it was asked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit


class DeafProxy:
    """Forwards everything; to lose an answer, it closes the connection instead."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._losing: asyncio.Event | None = None
        self.url = ""

    def lose_an_answer(self) -> asyncio.Event:
        """Lose the next answer; the event tells that it is lost."""
        self._losing = asyncio.Event()
        return self._losing

    def listen_on(self, port: int) -> None:
        """Take in under which port this is."""
        user = self._target.netloc.rpartition("@")[0]
        self.url = urlunsplit(self._target._replace(netloc=f"{user}@127.0.0.1:{port}"))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand on what one client and PostgreSQL say to each other."""
        to_server = await asyncio.open_connection(self._target.hostname, self._target.port)
        with contextlib.suppress(OSError):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._forward(reader, to_server[1]))
                tasks.create_task(self._answer(to_server[0], writer))
        for end in (writer, to_server[1]):
            end.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self._losing is not None:
                self._losing.set()
                self._losing = None
                break
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def deaf_proxy(url: str) -> AsyncIterator[DeafProxy]:
    """A proxy in front of the PostgreSQL of this URL."""
    proxy = DeafProxy(url)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.listen_on(server.sockets[0].getsockname()[1])
    async with server:
        yield proxy
