"""The load generator, which runs in another process: `python -m bench.load`, see bench.helper.

Open loop: event number i is due at start + i / rate, whatever the server does, and its latency counts from then,
so that a slow server cannot hide its queue by slowing the generator. Closed loop: each connection sends its next
request as soon as it has the last one's answer.
"""

import asyncio
import gc
import time
from array import array
from collections import deque

import msgspec
import uvloop

from bench import helper
from bench.alarm import Alarm
from bench.client import Connection

# Stands for the event's own id in the order's body; ids are as long as this, so that all bodies are.
PLACEHOLDER = "@" * 24
_ID_DIGITS = 8
# Two events due within this time are sent together, seconds.
_GRAIN_S = 0.0003
_CONNECT_DEADLINE_S = 10.0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to send. rate: events/s; 0: closed loop. run: 16 characters before each event's number in its id."""

    host: str
    port: int
    path: str
    headers: dict[str, str]
    body: str
    run: str
    rate: float
    seconds: float
    connections: int
    # How long to wait for the last answers, seconds.
    patience: float = 10.0


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The result: an entry per event, by its number. Times in Unix seconds; 0: never."""

    started: float
    # When the last event was due (open loop) or the sending was to end (closed loop).
    ended: float
    due: list[float]
    sent: list[float]
    answered: list[float]
    # HTTP; 0: no answer.
    status: list[int]
    event_id: list[str]
    # While sending and waiting; and of the whole process, with its start.
    cpu_seconds: float
    total_cpu_seconds: float


def is_accepted(status: int) -> bool:
    """Return whether a status is that of an accepted event."""
    return 200 <= status < 300


def unique_id(run: str, number: int) -> str:
    """Return the id of an event of a run."""
    return f"{run}{number:0{_ID_DIGITS}d}"


class Generator:
    """Sends the events of one order."""

    def __init__(self, order: Order) -> None:
        self._order = order
        before, self._after = self._template()
        self._before, self._between = before
        self._idle: list[Connection] = []
        self._open = 0
        self._waiting: deque[int] = deque()
        self._due = array("d")
        self._sent = array("d")
        self._answered = array("d")
        self._status = array("h")
        self._event_ids: list[bytes] = []
        self._unanswered = 0
        self._stop_at = 0.0
        self._next = 0
        self._all_sent = False
        self._done = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def _template(self) -> tuple[tuple[bytes, list[bytes]], bytes]:
        """Split the whole request at its placeholders."""
        order = self._order
        body = order.body.encode()
        lines = [f"POST {order.path} HTTP/1.1", f"Host: {order.host}:{order.port}"]
        lines += [f"{name}: {value}" for name, value in order.headers.items()]
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
        first, *rest = ("\r\n".join(lines).encode() + body).split(PLACEHOLDER.encode())
        return (first, rest[:-1]), rest[-1]

    async def run(self) -> Answer:
        """Send all events, wait for the responses, return the result. Raises OSError if no server listens."""
        order = self._order
        async with asyncio.timeout(_CONNECT_DEADLINE_S):
            await asyncio.gather(*(self._connect() for _ in range(order.connections)))
        gc.disable()  # nothing here makes cycles, and a pause would count as the server's
        # The table's times are those of the wall clock, as PostgreSQL's are; the pace is the steady one's.
        offset = time.time() - time.perf_counter()
        cpu, began = helper.cpu_seconds(), time.perf_counter()
        if order.rate:
            await self._send_at_rate(began)
        else:
            self._send_in_turn(began)
        ended = began + order.seconds
        try:
            async with asyncio.timeout(max(0.0, ended - time.perf_counter()) + order.patience):
                await self._done.wait()
        except TimeoutError:
            pass  # who has no answer by now has status 0
        cpu = helper.cpu_seconds() - cpu
        return self._answer(offset, began, ended, cpu)

    def _answer(self, offset: float, began: float, ended: float, cpu: float) -> Answer:
        def wall(times: "array[float]") -> list[float]:
            return [moment + offset if moment else 0.0 for moment in times]

        return Answer(
            started=began + offset,
            ended=ended + offset,
            due=wall(self._due),
            sent=wall(self._sent),
            answered=wall(self._answered),
            status=list(self._status),
            event_id=[identifier.decode("latin-1") for identifier in self._event_ids],
            cpu_seconds=cpu,
            total_cpu_seconds=helper.cpu_seconds(),
        )

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(self), self._order.host, self._order.port)
        self._open += 1
        self._idle.append(connection)

    async def _send_at_rate(self, began: float) -> None:
        rate = self._order.rate
        total = round(rate * self._order.seconds)
        finished = asyncio.Event()

        def ring() -> None:
            horizon = time.perf_counter() + _GRAIN_S / 2
            while self._next < total and (due := began + self._next / rate) <= horizon:
                self._submit(due)
            if self._next < total:
                alarm.set(max(began + self._next / rate, horizon + _GRAIN_S / 2))
            else:
                finished.set()

        with Alarm(ring) as alarm:
            alarm.set(began)
            await finished.wait()
        self._all_sent = True
        self._settle()

    def _send_in_turn(self, began: float) -> None:
        self._stop_at = began + self._order.seconds
        for _ in range(self._order.connections):
            self._submit(time.perf_counter())

    def _submit(self, due: float) -> None:
        number = self._next
        self._next += 1
        self._due.append(due)
        self._sent.append(0.0)
        self._answered.append(0.0)
        self._status.append(0)
        self._event_ids.append(b"")
        self._unanswered += 1
        if self._idle:
            self._send(self._idle.pop(), number)
        else:
            self._waiting.append(number)

    def _send(self, connection: Connection, number: int) -> None:
        identifier = unique_id(self._order.run, number).encode()
        parts = [self._before]
        for part in self._between:
            parts += (identifier, part)
        parts += (identifier, self._after)
        self._sent[number] = time.perf_counter()
        connection.send(number, b"".join(parts))

    def answered(self, connection: Connection, ticket: int, status: int, event_id: bytes) -> None:
        """See bench.client.Listener."""
        now = time.perf_counter()
        if ticket >= 0:
            self._answered[ticket] = now
            self._status[ticket] = status
            self._event_ids[ticket] = event_id
            self._unanswered -= 1
        if not connection.closing:
            self._use(connection, now)
        self._settle()

    def lost(self, connection: Connection, ticket: int) -> None:
        """See bench.client.Listener. The server closes connections that were opened and not used for ten seconds."""
        self._open -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        if ticket >= 0:
            self._unanswered -= 1
        if not self._done.is_set():
            task = asyncio.ensure_future(self._replace())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._settle()

    async def _replace(self) -> None:
        try:
            await self._connect()
        except OSError:
            if self._open == 0:  # nobody is left to answer what waits
                self._done.set()
            return
        self._use(self._idle.pop(), time.perf_counter())

    def _use(self, connection: Connection, now: float) -> None:
        """Send the next event on a free connection."""
        if self._waiting:
            self._send(connection, self._waiting.popleft())
            return
        self._idle.append(connection)
        if self._stop_at:
            if now < self._stop_at:
                self._submit(now)
            else:
                self._all_sent = True

    def _settle(self) -> None:
        if self._all_sent and self._unanswered <= 0:
            self._done.set()


async def _main(order: Order) -> Answer:
    return await Generator(order).run()


def main() -> None:
    """Read the order, execute it, and print the result."""
    helper.answer(uvloop.run(_main(helper.order(Order))))


if __name__ == "__main__":
    main()
