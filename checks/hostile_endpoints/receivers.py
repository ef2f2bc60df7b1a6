"""Endpoints that are well: they answer at once, and note when each event arrived."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Payload(msgspec.Struct, frozen=True):
    """What an event carries. due: when it was to be sent, Unix seconds."""

    id: str
    due: float


_payload = msgspec.json.Decoder(Payload).decode


class Receivers:
    """The endpoints. first: when each event arrived first, by its id; repeats: further arrivals. ports: of each."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self.first: dict[str, float] = {}
        self.due: dict[str, float] = {}
        self.repeats = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
                payload = _payload(await reader.readexactly(length))
                self.repeats += payload.id in self.first
                self.first.setdefault(payload.id, time.time())
                self.due[payload.id] = payload.due
                writer.write(_OK)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    def late(self, prefix: str) -> list[float]:
        """Return how late each event with such an id arrived, seconds, the least first."""
        return sorted(at - self.due[id_] for id_, at in self.first.items() if id_.startswith(prefix))


@asynccontextmanager
async def receivers(number: int) -> AsyncIterator[Receivers]:
    """Run so many for a block."""
    found = Receivers()
    async with AsyncExitStack() as stack:
        for _ in range(number):
            server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
            stack.callback(server.close)
            found.ports.append(server.sockets[0].getsockname()[1])
        yield found
