"""Reads EVENTS and TRACE into the ledger, in groups."""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
from google.protobuf.message import DecodeError
from nats.aio.client import Client
from prometheus_client import Counter

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import logs, postgres, pulling
from runtime.retrying import retry
from services.domain import topology
from services.domain.erasures import Erasures
from services.ingest.ledger.record import merge
from services.ingest.ledger.rows import Item, LedgerRows
from services.ingest.ledger.store import LedgerStore

# No event waits for the ledger, so it waits a little: then most records of an event are in one group.
INTERVAL_S = 0.15
# About so many rows in a transaction, which has five seconds; a message of TRACE holds up to 500.
_MAX_GROUP = 2000
# An event may be 1 MiB as it is stored, and its row holds it whole.
_MAX_GROUP_BYTES = 8 * 1024 * 1024
# Errors that a repetition does not cure.
_UNWRITABLE = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.CardinalityViolationError,
)
# Between two tries while PostgreSQL is away, seconds.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 1.0
# Between two looks for records that an earlier version stored because it did not understand them, seconds.
_REREAD_S = 30.0
_MAX_HELD = 2000
# One group is written while the next one comes in.
_MAX_HELD_BYTES = 2 * _MAX_GROUP_BYTES

_LOST = Counter("clarion_ledger_unreadable_total", "Messages and records that the ledger could not read or write.")
_UNKNOWN = Counter(
    "clarion_ledger_unknown_total", "Records that only a later version understands, stored for one that does."
)

log = logs.get(__name__)


class LedgerConsumer:
    """One process's share of the ledger's work."""

    def __init__(
        self,
        connection: Client,
        store: LedgerStore,
        erasures: Erasures | None = None,
        *,
        tell: Callable[[LedgerRows], Awaitable[None]] | None = None,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._store = store
        self._erasures = erasures
        # Tells those who watch what was written; raises nothing.
        self._tell = tell
        self._interval_s = interval_s
        self._waiting: list[pulling.Held] = []
        self._wake = asyncio.Event()
        self._pullers = [
            pulling.Puller(
                connection,
                consumer.stream,
                consumer.name,
                max_held=_MAX_HELD,
                max_held_bytes=_MAX_HELD_BYTES,
                ack_wait=topology.ACK_WAIT_S,
            )
            for consumer in topology.ledger_consumers()
        ]

    async def run(self) -> None:
        """Read and write until drain()."""
        async with asyncio.TaskGroup() as tasks:  # if the writer fails, the readers must end too
            writer = tasks.create_task(self._write_all())
            rereader = tasks.create_task(self._reread_always())
            async with asyncio.TaskGroup() as readers:
                for puller in self._pullers:
                    readers.create_task(self._collect(puller))
            writer.cancel()
            rereader.cancel()

    async def drain(self) -> None:
        """Stop reading; run() returns when all received messages are written."""
        for puller in self._pullers:
            puller.stop()

    async def _collect(self, puller: pulling.Puller) -> None:
        async for batch in puller.batches():
            self._waiting.extend(batch)
            self._wake.set()

    async def _write_all(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(self._interval_s)
            self._wake.clear()
            # Messages that arrive meanwhile wait for the next round, else most groups would be small.
            left = len(self._waiting)
            while left:
                left -= await self._write_group(left)

    async def _write_group(self, at_most: int) -> int:
        """Write and acknowledge one group; return the number of its messages."""
        started = time.perf_counter()
        batch, items = self._take(at_most)
        await self._write(items)
        for held in batch:
            await held.ack()
        log.debug("ledger_written", messages=len(batch), ms=round((time.perf_counter() - started) * 1000, 1))
        return len(batch)

    def _take(self, at_most: int) -> tuple[list[pulling.Held], list[Item]]:
        """Return the messages of the next transaction, and their events and records."""
        batch: list[pulling.Held] = []
        items: list[Item] = []
        size = 0
        for held in itertools.islice(self._waiting, at_most):
            batch.append(held)
            items += _items(held)
            size += len(held.data)
            if len(items) >= _MAX_GROUP or size >= _MAX_GROUP_BYTES:
                break
        self._waiting = self._waiting[len(batch) :]
        return batch, items

    async def _reread_always(self) -> None:
        """Read what a process of an earlier version could not understand, until cancelled."""
        while True:
            await asyncio.sleep(_REREAD_S * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, not a secret
            try:
                await self.reread()
            except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                log.warning("unknown_records_wait", error=repr(error))

    async def reread(self) -> None:
        """Write the stored records that this version understands, and forget them."""
        after, is_more = "", True
        while is_more:
            items, after = await self._store.unknown(after)
            if items:
                await self._write(items)
                await self._store.forget_unknown(items)
                log.info("unknown_records_read", records=len(items))
            is_more = after != ""

    async def _write(self, items: list[Item]) -> None:
        """Write the items; wait while PostgreSQL is away, and drop an item that it refuses."""

        def tell(failure: BaseException, _: int) -> None:
            log.warning("ledger_waits", error=repr(failure), items=len(items))

        try:
            await retry(
                lambda: self._write_once(items),
                (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError),
                unless=_UNWRITABLE,
                first_s=_FIRST_PAUSE_S,
                longest_s=_LONGEST_PAUSE_S,
                before_pause=tell,
            )
        except _UNWRITABLE as error:
            break_at = len(items) // 2
            if not break_at:
                _LOST.inc()
                log.error("ledger_item_dropped", id=items[0].id, error=repr(error))
                return
            # One of the items is refused: halve until it is alone.
            await self._write(items[:break_at])
            await self._write(items[break_at:])

    async def _write_once(self, items: list[Item]) -> None:
        rows = self._merged(items)
        await self._store.write(rows)
        if self._tell is not None:
            await self._tell(rows)

    def _merged(self, items: list[Item]) -> LedgerRows:
        rows = merge(items, self._erasures)
        if rows.unknown:
            _UNKNOWN.inc(len(rows.unknown))
            log.warning("ledger_records_unknown", records=len(rows.unknown), first=rows.unknown[0].id)
        return rows


def _items(held: pulling.Held) -> Sequence[Item]:
    try:
        if held.subject == topology.TRACE_SUBJECT:
            return trace_pb2.TraceBatch.FromString(held.data).records
        return [event_pb2.Event.FromString(held.data)]
    except DecodeError:
        _LOST.inc()
        log.error("ledger_message_unreadable", subject=held.subject, sequence=held.sequence)
        return []
