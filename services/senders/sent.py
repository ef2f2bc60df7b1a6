"""Which delivery a provider's message id names: written in groups behind the sends, read when reports arrive."""

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
# Nobody waits for a row, so under load each statement carries what this long has brought, seconds.
_PACE_S = 0.1
# While the database is away a group is tried again and again for ten minutes, with growing pauses, in seconds.
_PATIENCE_S = 600.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 1.0
_PURGE_ROWS = 5_000
_PURGE_EVERY_S = 600.0

_LOST = Counter("clarion_sent_lost_total", "Messages whose later reports cannot be matched: their row was not stored.")

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a provider took. message_id: the provider's own. recipient: address or E.164 number.

    sent_at_us: when its row was written, by the database's clock, which also says when a suppression was lifted; Unix
    microseconds, 0 before it is written.
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
        self._writer: Batcher[Sent, None] = Batcher(
            self._insert, BatchLimits(items=_GROUP, waiting=_MAX_WAITING), BatchTiming(interval_s=_PACE_S)
        )
        # Most reports come one by one: those that wait are looked up together.
        self._finder: Batcher[tuple[str, str], Sent | None] = Batcher(
            self._find_all, BatchLimits(items=MAX_FOUND, waiting=_MAX_WAITING)
        )

    def note(self, sent: Sent) -> None:
        """Keep the message soon; nobody waits for it. What cannot be kept is counted, and its reports find nothing."""
        try:
            self._writer.enqueue(sent).add_done_callback(_count_loss)
        except ClarionError:
            _LOST.inc()

    async def find(self, provider_id: str, message_ids: Sequence[str]) -> Mapping[str, Sent]:
        """Return the messages of this provider by its own id, those that are known. At most MAX_FOUND ids.

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
        """Forget what is older than keep_days, again and again, for ever."""
        while True:
            try:
                status = await self._pool.execute(_SQL.purge_sent, keep_days, _PURGE_ROWS)
            except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                log.warning("sent_purge_waits", error=repr(error))
                status = ""
            if status != f"DELETE {_PURGE_ROWS}":
                await asyncio.sleep(_PURGE_EVERY_S)

    async def _find_all(self, keys: list[tuple[str, str]]) -> list[Sent | None]:
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.find_sent, *map(list, zip(*keys, strict=True)))
        found = {(row["provider_id"], row["message_id"]): _sent(row) for row in rows}
        return [found.get(key) for key in keys]

    async def _insert(self, items: list[Sent]) -> list[None]:
        columns = list(zip(*map(_columns, items), strict=True))

        async def insert() -> None:
            async with self._pool.acquire(timeout=5.0) as connection:
                await connection.execute(_SQL.insert_sent, *columns)

        def tell(failure: BaseException, _: int) -> None:
            log.warning("sent_waits", messages=len(items), error=repr(failure))

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


def _columns(sent: Sent) -> tuple[Any, ...]:
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


def _sent(row: asyncpg.Record) -> Sent:
    return Sent(
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
