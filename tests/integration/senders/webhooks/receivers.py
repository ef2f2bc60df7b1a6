"""Servers that receive webhooks, and answer as they are told: any bytes, or none."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Received:
    """A request: the head as it came, its headers with names in lower case, the body."""

    head: bytes
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """The headers."""
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


@dataclass
class Peer:
    """The receiver's end of a connection. number: from 1, in the order of connecting."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    sent: int = 0

    async def request(self) -> Received:
        """Read a request. Raises IncompleteReadError when there is none."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(Received(head, b"").headers.get("content-length", "0"))
        return Received(head, await self.reader.readexactly(length))

    async def send(self, data: bytes) -> None:
        """Send bytes, however slowly the other side reads, and let others run."""
        await asyncio.sleep(0)
        self.writer.write(data)
        await self.writer.drain()
        self.sent += len(data)

    async def until_gone(self) -> None:
        """Return when the other side has closed the connection."""
        while await self.reader.read(65_536):
            pass

    def reset(self) -> None:
        """End the connection at once."""
        self.writer.transport.abort()


Script = Callable[["Receiver", Peer], Awaitable[None]]


async def answer_ok(receiver: "Receiver", peer: Peer) -> None:
    """Answer each request with 200."""
    await answering(OK)(receiver, peer)


def answering(*answers: bytes) -> Script:
    """Answer the requests of a connection in turn, the last answer again and again."""

    async def script(receiver: "Receiver", peer: Peer) -> None:
        number = 0
        while True:
            receiver.requests.append(await peer.request())
            await peer.send(answers[min(number, len(answers) - 1)])
            number += 1

    return script


def answering_once(answer: bytes) -> Script:
    """Answer one request and close the connection."""

    async def script(receiver: "Receiver", peer: Peer) -> None:
        receiver.requests.append(await peer.request())
        await peer.send(answer)

    return script


@dataclass
class Receiver:
    """A server. gone: connections that have ended. faults: what its scripts did not expect."""

    script: Script = answer_ok
    port: int = 0
    scheme: str = "http"
    connections: int = 0
    gone: int = 0
    requests: list[Received] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    peers: list[Peer] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.scheme}://127.0.0.1:{self.port}/in"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Run the script on one connection."""
        self.connections += 1
        self.peers.append(Peer(reader, writer, self.connections))
        try:
            await self.script(self, self.peers[-1])
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, TimeoutError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        except Exception as error:
            self.faults.append(error)
        finally:
            self.gone += 1
            writer.close()


@asynccontextmanager
async def receiving(script: Script = answer_ok, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Run a receiver for a block. Its connections end with it."""
    receiver = Receiver(script, scheme="https" if tls else "http")
    running: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(receiver.serve(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls, limit=2**20)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
        assert receiver.faults == []
    finally:
        server.close()
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
