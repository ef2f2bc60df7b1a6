"""Memory of the processes and bytes of the streams, looked at every second while something runs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import nats.errors
import nats.js.errors
from nats.aio.client import Client

from bench.usage import MIB, memory, processes
from services.domain import topology
from stack.client import Running

STREAMS = (topology.EVENTS, topology.DELIVERIES, topology.TRACE)
_EVERY_S = 1.0


@dataclass(frozen=True)
class StreamState:
    """A stream at a moment. last: the sequence of its last message."""

    messages: int
    bytes: int
    last: int


@dataclass
class Growth:
    """What was seen. memory: bytes by process, look by look. stored: messages and bytes that each stream took."""

    memory: dict[str, list[int]] = field(default_factory=dict)
    stored: dict[str, tuple[int, float]] = field(default_factory=dict)
    fullest: dict[str, int] = field(default_factory=dict)
    _before: dict[str, StreamState] = field(default_factory=dict)

    def see_memory(self, now: Mapping[str, int]) -> None:
        """Add a look at the processes."""
        for name, size in now.items():
            self.memory.setdefault(name, []).append(size)

    def see_stream(self, name: str, now: StreamState) -> None:
        """Add a look at a stream. Messages that came since the last look count with the mean size of those in it."""
        before = self._before.get(name)
        self._before[name] = now
        self.fullest[name] = max(self.fullest.get(name, 0), now.bytes)
        if before is None or not now.messages:
            return
        came = max(0, now.last - before.last)
        messages, size = self.stored.get(name, (0, 0.0))
        self.stored[name] = messages + came, size + came * now.bytes / now.messages

    def memory_table(self, names: Sequence[str]) -> str:
        """Return a row for each process: at the start, most, at the end."""
        rows = [
            f"| {name} | {seen[0] / MIB:.0f} | {max(seen) / MIB:.0f} | {seen[-1] / MIB:.0f} |"
            for name in names
            if (seen := self.memory.get(name))
        ]
        return "\n".join(["| memory (PSS), MiB | start | most | end |", "|---|---|---|---|", *rows])

    def stream_table(self, deliveries: int) -> str:
        """Return a row for each stream: messages, bytes for each of so many deliveries, and how full it was."""
        rows = []
        for name in STREAMS:
            messages, size = self.stored.get(name, (0, 0.0))
            each = size / max(1, deliveries)
            rows.append(f"| {name} | {messages:,} | {each:,.0f} | {self.fullest.get(name, 0) / MIB:.1f} |")
        head = "| stream | messages | bytes for each delivery | most, MiB |"
        return "\n".join([head, "|---|---|---|---|", *rows])


@asynccontextmanager
async def growth(running: Running) -> AsyncIterator[Growth]:
    """Look at a stack every second during a block."""
    found = Growth()
    connection = Client()
    await connection.connect(running.variables["CLARION_NATS_URL"], connect_timeout=5)
    looking = asyncio.create_task(_keep_looking(running, connection, found))
    try:
        yield found
        await _look(running, connection, found)
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
        await connection.close()


async def _keep_looking(running: Running, connection: Client, found: Growth) -> None:
    while True:
        with contextlib.suppress(nats.errors.Error, nats.js.errors.Error, TimeoutError, OSError):
            await _look(running, connection, found)
        await asyncio.sleep(_EVERY_S)


async def _look(running: Running, connection: Client, found: Growth) -> None:
    jetstream = connection.jetstream(timeout=5)
    for name in STREAMS:
        state = (await jetstream.stream_info(name)).state
        found.see_stream(name, StreamState(state.messages, state.bytes, state.last_seq))
    found.see_memory(await asyncio.to_thread(lambda: memory(processes(running))))
