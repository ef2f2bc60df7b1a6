"""Runs one load on the stack until everything is delivered, and measures around it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import nats
from nats.aio.client import Client

from bench import figures, ground, helper, load, tenant, usage
from bench.figures import Drained, Load
from bench.sink import Outbox, Sink, reconcile
from bench.statements import Statements
from services.domain import topology
from stack.client import Running

# Nothing new in the outbox for so long after a load: what is not there is missing, seconds. A delivery that found no
# slot may be put off for up to 72.
_STALLED_S = 80.0
_LEDGER_DEADLINE_S = 120.0
_HELPER_GRACE_S = 60.0
_PATH = "/api/v1/events/trigger"


@dataclass(frozen=True)
class Request:
    """What is posted for each event. body: with placeholders for its id."""

    path: str
    headers: dict[str, str]
    body: str


class Loader:
    """Puts loads on a stack. request: of each event; sink: where it arrives."""

    def __init__(
        self,
        stack: Running,
        request: "Request",
        sink: Sink,
        sql: "asyncpg.Connection[asyncpg.Record]",
        broker: Client,
    ) -> None:
        self.stack = stack
        self._request = request
        self._broker = broker
        self._sink = sink
        self._statements = Statements(sql)

    async def prepare(self) -> None:
        """Prepare the counting of statements."""
        await self._statements.prepare()

    async def run(self, *, rate: float, seconds: float, connections: int) -> Load:
        """Offer rate events/s for seconds (0: closed loop), wait until all are recorded and in the ledger."""
        order = self._order(rate, seconds, connections)
        await self._sink.mark()
        await self._statements.start()
        pids = usage.processes(self.stack)
        cpu, whole, began = usage.cpu(pids), usage.machine(), time.monotonic()
        answer = await helper.ask("bench.load", order, load.Answer, deadline=seconds + order.patience + _HELPER_GRACE_S)
        took = time.monotonic() - began
        busy, idle = usage.machine().busy - whole.busy, usage.machine().idle - whole.idle
        ours = sum(usage.difference(usage.cpu(pids), cpu).values()) + answer.total_cpu_seconds
        behind = await self._ledger_backlog()
        accepted = sum(map(load.is_accepted, answer.status))
        await self._sink.wait(accepted, _STALLED_S)
        await self._ledger_done()
        used = usage.difference(usage.cpu(usage.processes(self.stack)), cpu)
        statements = await self._statements.stop()
        count, recorded = reconcile(answer, order.run, await self._sink.read())
        drained = Drained(
            count=count,
            recorded=recorded,
            ledger_backlog=behind,
            cpu=used,
            statements=statements,
            others_cores=max(0.0, busy - ours) / took,
            idle_cores=idle / took,
        )
        return figures.load_figures(order, answer, drained)

    def _order(self, rate: float, seconds: float, connections: int) -> load.Order:
        address = urlsplit(self.stack.url)
        return load.Order(
            host=address.hostname or "127.0.0.1",
            port=address.port or 80,
            path=self._request.path,
            headers=self._request.headers,
            body=self._request.body,
            run=ground.new_run(),
            rate=rate,
            seconds=seconds,
            connections=connections,
        )

    async def _ledger_backlog(self) -> int:
        """Return the number of messages that the ledger has not yet written."""
        stream = self._broker.jetstream(timeout=5)
        waiting = 0
        for consumer in topology.ledger_consumers():
            info = await stream.consumer_info(consumer.stream, consumer.name)
            if consumer.stream == topology.EVENTS:
                waiting += (info.num_pending or 0) + (info.num_ack_pending or 0)
        return waiting

    async def _ledger_done(self) -> None:
        try:
            async with asyncio.timeout(_LEDGER_DEADLINE_S):
                while await self._ledger_backlog():  # noqa: ASYNC110 - the broker does not say when
                    await asyncio.sleep(0.1)
        except TimeoutError:
            return


@asynccontextmanager
async def loader(stack: Running) -> AsyncIterator[Loader]:
    """Create a tenant and connect to the servers for the length of an ``async with`` block."""
    async with connected(stack) as (sql, broker):
        of = await tenant.create(stack)
        request = Request(_PATH, {"x-api-key": of.api_key}, tenant.event_body())
        made = Loader(stack, request, Outbox(sql, of.id), sql, broker)
        await made.prepare()
        yield made


@asynccontextmanager
async def connected(stack: Running) -> AsyncIterator[tuple["asyncpg.Connection[asyncpg.Record]", Client]]:
    """Connect to PostgreSQL and NATS for the length of an ``async with`` block."""
    sql = await asyncpg.connect(stack.variables["CLARION_POSTGRES_URL"])
    broker = await nats.connect(stack.variables["CLARION_NATS_URL"])
    try:
        yield sql, broker
    finally:
        await broker.close()
        await sql.close()
