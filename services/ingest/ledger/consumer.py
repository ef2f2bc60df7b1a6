"""Reads EVENTS and TRACE into the ledger, in groups."""

import asyncio
import random
import time
from collections.abc import Iterator

import asyncpg
from google.protobuf.message import DecodeError
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import logs, nats, postgres
from services import topology
from services.ingest.ledger.record import group
from services.ingest.ledger.store import LedgerStore

# The ledger is not on any event's path: it waits a little, so that most of an event's life fits one group.
INTERVAL_S = 0.15
_MAX_GROUP = 1000
_MAX_HELD = 2000

log = logs.get(__name__)


class LedgerConsumer:
    """One process's share of the ledger's work."""

    def __init__(self, connection: Client, store: LedgerStore, *, interval_s: float = INTERVAL_S) -> None:
        self._store = store
        self._interval_s = interval_s
        self._waiting: list[nats.Held] = []
        self._wake = asyncio.Event()
        self._pullers = [
            nats.Puller(connection, consumer.stream, consumer.name, max_held=_MAX_HELD, ack_wait=topology.ACK_WAIT_S)
            for consumer in topology.ledger_consumers()
        ]

    async def run(self) -> None:
        """Work until stop()."""
        async with asyncio.TaskGroup() as tasks:  # a writer that fails must not leave readers without one
            writer = tasks.create_task(self._write_all())
            async with asyncio.TaskGroup() as readers:
                for puller in self._pullers:
                    readers.create_task(self._collect(puller))
            writer.cancel()

    async def drain(self) -> None:
        """Take no more; run() ends when what is in hand has been written."""
        for puller in self._pullers:
            puller.stop()

    async def _collect(self, puller: nats.Puller) -> None:
        async for batch in puller.batches():
            self._waiting.extend(batch)
            self._wake.set()

    async def _write_all(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(self._interval_s)
            self._wake.clear()
            while self._waiting:
                batch, self._waiting = self._waiting[:_MAX_GROUP], self._waiting[_MAX_GROUP:]
                await self._write(batch)

    async def _write(self, batch: list[nats.Held]) -> None:
        """Write until it is written: PostgreSQL may be away for long, a message may be unwritable."""
        started = time.perf_counter()
        delay = 0.1
        while True:
            try:
                await self._store.write(group(_events(batch), _records(batch)))
                break
            except asyncpg.DataError as error:
                if len(batch) == 1:
                    log.error("ledger_message_dropped", subject=batch[0].subject, error=repr(error))
                    break
                middle = len(batch) // 2
                await self._write(batch[:middle])
                await self._write(batch[middle:])
                return
            except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                log.warning("ledger_waits", error=repr(error), messages=len(batch))
                delay = min(delay * random.uniform(1.5, 2.5), 2.0)  # noqa: S311 - jitter, not a secret
                await asyncio.sleep(delay)
        for held in batch:
            await held.ack()
        log.debug("ledger_written", messages=len(batch), ms=round((time.perf_counter() - started) * 1000, 1))


def _events(batch: list[nats.Held]) -> Iterator[event_pb2.Event]:
    for held in batch:
        if held.subject != topology.TRACE_SUBJECT:
            try:
                yield event_pb2.Event.FromString(held.data)
            except DecodeError:
                log.error("ledger_message_unreadable", subject=held.subject, sequence=held.sequence)


def _records(batch: list[nats.Held]) -> Iterator[trace_pb2.TraceRecord]:
    for held in batch:
        if held.subject == topology.TRACE_SUBJECT:
            try:
                yield from trace_pb2.TraceBatch.FromString(held.data).records
            except DecodeError:
                log.error("ledger_message_unreadable", subject=held.subject, sequence=held.sequence)
