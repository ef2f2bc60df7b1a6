"""The deliveries by the provider's message id: written in groups after the send, read when reports arrive."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from prometheus_client import Counter

from clarion.common.v1 import event_pb2
from runtime import logs, postgres
from runtime.batching import Batcher, BatchLimits, BatchTiming
from runtime.errors import ClarionError
from runtime.retrying import retry

MAX_FOUND = 1000

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))
_GROUP = 500
_MAX_WAITING = 20_000
# No delivery waits for its row. Under load each statement writes the rows of this many seconds.
_PACE_S = 0.1
# While the database is away, a group is retried for this many seconds, with growing pauses.
_PATIENCE_S = 600.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 1.0
_PURGE_ROWS = 5_000
_PURGE_EVERY_S = 600.0

_LOST = Counter(
    "clarion_sent_lost_total", "Sent messages whose row was not stored, so that their reports match nothing."
)

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that a provider accepted. message_id: the provider's own. recipient: address or E.164 number.

    sent_at_us: when its row was written, by the database's clock, as for lifted suppressions; Unix microseconds, 0
    before it is written.
    """

    provider_id: str
    message_id: str
    tenant_id: str
    event_id: str
    delivery_id: str
    channel: event_pb2.Channel.ValueType
    attempt: int
    replay: int
    recipient: str
    sent_at_us: int = field(default=0, compare=False)


class SentLog:
    """Reads and writes senders.sent."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._writer: Batcher[SentMessage, None] = Batcher(
            self._insert, BatchLimits(items=_GROUP, waiting=_MAX_WAITING), BatchTiming(interval_s=_PACE_S)
        )
        # Most reports arrive one by one: those that wait are looked up together.
        self._finder: Batcher[tuple[str, str], SentMessage | None] = Batcher(
            self._find_all, BatchLimits(items=MAX_FOUND, waiting=_MAX_WAITING)
        )

    def record(self, sent: SentMessage) -> None:
        """Store the message soon; the caller does not wait. Messages that cannot be stored are counted."""
        try:
            self._writer.enqueue(sent).add_done_callback(_count_loss)
        except ClarionError:
            _LOST.inc()

    async def find(self, provider_id: str, message_ids: Sequence[str]) -> Mapping[str, SentMessage]:
        """Return the known messages of this provider by its own id. At most MAX_FOUND ids.

        Raises UNAVAILABLE, OVERLOADED.
        """
        if len(message_ids) > MAX_FOUND:
            raise ValueError(f"at most {MAX_FOUND} ids at a time")
        ids = list(dict.fromkeys(message_ids))
        found = await self._finder.submit_all([(provider_id, message_id) for message_id in ids])
        return {message_id: sent for message_id, sent in zip(ids, found, strict=True) if sent is not None}

    async def drain(self) -> None:
        """Wait until all is written."""
        await self._writer.drain()

    async def purge(self, keep_days: int) -> None:
        """Delete rows older than keep_days every ten minutes, for ever."""
        while True:
            try:
                status = await self._pool.execute(_SQL.purge_sent, keep_days, _PURGE_ROWS)
            except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                log.warning("sent_purge_failed", error=repr(error))
                status = ""
            if status != f"DELETE {_PURGE_ROWS}":
                await asyncio.sleep(_PURGE_EVERY_S)

    async def _find_all(self, keys: list[tuple[str, str]]) -> list[SentMessage | None]:
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.find_sent, *map(list, zip(*keys, strict=True)))
        found = {(row["provider_id"], row["message_id"]): _sent(row) for row in rows}
        return [found.get(key) for key in keys]

    async def _insert(self, items: list[SentMessage]) -> list[None]:
        columns = list(zip(*map(_columns, items), strict=True))

        async def insert() -> None:
            async with self._pool.acquire(timeout=5.0) as connection:
                await connection.execute(_SQL.insert_sent, *columns)

        def tell(failure: BaseException, _: int) -> None:
            log.warning("sent_insert_retried", messages=len(items), error=repr(failure))

        await retry(
            insert,
            postgres.CONNECTION_ERRORS,
            first_s=_FIRST_PAUSE_S,
            longest_s=_LONGEST_PAUSE_S,
            within_s=_PATIENCE_S,
            before_pause=tell,
        )
        return [None] * len(items)


def _count_loss(written: "asyncio.Future[None]") -> None:
    if written.cancelled() or written.exception() is not None:
        _LOST.inc()


def _columns(sent: SentMessage) -> tuple[Any, ...]:
    return (
        sent.provider_id,
        sent.message_id,
        sent.tenant_id,
        sent.event_id,
        sent.delivery_id,
        sent.channel,
        sent.attempt,
        sent.replay,
        sent.recipient,
    )


def _sent(row: asyncpg.Record) -> SentMessage:
    return SentMessage(
        provider_id=row["provider_id"],
        message_id=row["message_id"],
        tenant_id=row["tenant_id"],
        event_id=str(row["event_id"]),
        delivery_id=str(row["delivery_id"]),
        channel=event_pb2.Channel.ValueType(row["channel"]),
        attempt=row["attempt"],
        replay=row["replay"],
        recipient=row["recipient"],
        sent_at_us=round(row["sent_at"].timestamp() * 1_000_000),
    )
