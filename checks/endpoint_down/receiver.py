"""Endpoints that record the messages they get. The check can make them fail."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec


class Payload(msgspec.Struct, frozen=True):
    """What an event carries. due: when it was to be accepted, Unix seconds. is_cursed: its endpoint never takes it."""

    id: str
    due: float
    is_cursed: bool = False


@dataclass
class Receiver:
    """One endpoint. is_down: it answers 503. tries: when each event came, whatever was answered, by its id.

    taken: when each event was taken first. repeats: events that were taken again. message_ids: of each event.
    """

    port: int = 0
    is_down: bool = False
    tries: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    taken: dict[str, float] = field(default_factory=dict)
    repeats: int = 0
    message_ids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    late: list[float] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of a connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                body = await reader.readexactly(int(headers["content-length"]))
                status = self._take(msgspec.json.decode(body, type=Payload), headers["webhook-id"])
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    def _take(self, payload: Payload, message_id: str) -> int:
        now = time.time()
        self.tries[payload.id].append(now)
        self.message_ids[payload.id].add(message_id)
        if self.is_down or payload.is_cursed:
            return 503
        if payload.id in self.taken:
            self.repeats += 1
        else:
            self.taken[payload.id] = now
            self.late.append(now - payload.due)
        return 200


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """Run an endpoint for a block."""
    found = Receiver()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
