"""Reads what was delivered from PostgreSQL and NATS directly, because other processes are killed."""

import re
from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import nats.errors
import nats.js.errors
from nats.aio.client import Client

from checks.waiting import CheckError, expect
from services.domain import topology

_SMS, _SENT = 2, 4
_ORDER = re.compile(r"order (\S+) is confirmed")
_TITLE = re.compile(r"Order (\S+) confirmed")
_CONNECT_S = 2.0


@dataclass(frozen=True)
class Mark:
    """A position in the records. What follows belongs to one burst."""

    outbox_id: int
    user_id: str


@dataclass(frozen=True)
class Delivered:
    """Delivery ids per order: one for each sent SMS, and one for each row of the inbox."""

    sms: dict[str, list[str]]
    inbox: dict[str, list[str]]


@dataclass(frozen=True)
class Told:
    """The state of the ledger. unfinished: the number of unfinished events; first: the first success after a time."""

    unfinished: int
    first: datetime | None
    last: datetime | None


class Sink:
    """Reads the records. Raises CheckError if a server is down; the caller retries."""

    def __init__(self, postgres_url: str, nats_url: str) -> None:
        self._postgres_url = postgres_url
        self._nats_url = nats_url
        self._kept: asyncpg.Connection[asyncpg.Record] | None = None

    @asynccontextmanager
    async def _connection(self) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
        try:
            if self._kept is None or self._kept.is_closed():
                self._kept = await asyncpg.connect(self._postgres_url, timeout=_CONNECT_S, command_timeout=10)
            yield self._kept
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if self._kept is not None:
                self._kept.terminate()
                self._kept = None
            raise CheckError(f"PostgreSQL: {error!r}") from error

    async def close(self) -> None:
        """Disconnect from PostgreSQL."""
        if self._kept is not None:
            self._kept.terminate()

    async def mark(self, user_id: str) -> Mark:
        """Begin a burst."""
        async with self._connection() as connection:
            last = await connection.fetchval("SELECT coalesce(max(id), 0) FROM senders.outbox")
        return Mark(int(last), user_id)

    async def count(self, mark: Mark) -> tuple[int, int]:
        """Return the numbers of recorded SMS and notifications."""
        async with self._connection() as connection:
            row = await connection.fetchrow(
                "SELECT (SELECT count(*) FROM senders.outbox WHERE id > $1 AND channel = $2) AS sms,"
                " (SELECT count(*) FROM realtime.inbox WHERE user_id = $3) AS inbox",
                mark.outbox_id,
                _SMS,
                mark.user_id,
            )
        expect(row is not None, "no counts")
        return (int(row["sms"]), int(row["inbox"])) if row else (0, 0)

    async def delivered(self, mark: Mark) -> Delivered:
        """Return every delivery of a burst."""
        async with self._connection() as connection:
            sms = await connection.fetch(
                "SELECT delivery_id, body_text AS text FROM senders.outbox WHERE id > $1 AND channel = $2",
                mark.outbox_id,
                _SMS,
            )
            inbox = await connection.fetch(
                "SELECT id AS delivery_id, title AS text FROM realtime.inbox WHERE user_id = $1", mark.user_id
            )
        return Delivered(_by_order(sms, _ORDER), _by_order(inbox, _TITLE))

    async def told(self, events: Collection[str], channel: int | None, after: datetime) -> Told:
        """Return the state of these events in the ledger. channel: count only its successes; None: any."""
        async with self._connection() as connection:
            finished = await connection.fetchval(
                "SELECT count(*) FROM ingest.events WHERE id = ANY($1::uuid[]) AND finished_at IS NOT NULL",
                list(events),
            )
            row = await connection.fetchrow(
                "SELECT min(ended_at) AS first, max(ended_at) AS last FROM ingest.attempts"
                " WHERE event_id = ANY($1::uuid[]) AND status = $2 AND ended_at > $3"
                " AND ($4::int IS NULL OR channel = $4)",
                list(events),
                _SENT,
                after,
                channel,
            )
        return Told(len(events) - int(finished), row["first"] if row else None, row["last"] if row else None)

    async def quiet(self) -> bool:
        """Return whether the broker is idle: no unacknowledged message and no timer.

        Raises CheckError naming what waits.
        """
        connection = Client()
        try:
            await connection.connect(self._nats_url, connect_timeout=5, allow_reconnect=False, error_cb=_say_nothing)
            jetstream = connection.jetstream(timeout=5)
            for consumer in topology.consumers():
                info = await jetstream.consumer_info(consumer.stream, consumer.name)
                waits = f"{consumer.name}: {info.num_pending} pending, {info.num_ack_pending} not acknowledged"
                expect(not info.num_pending and not info.num_ack_pending, waits)
            timers = (await jetstream.stream_info(topology.TIMERS, subjects_filter="timers.wait.>")).state.subjects
            expect(not timers, f"{len(timers or ())} timers")
        except (OSError, TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
            raise CheckError(f"NATS: {error!r}") from error
        finally:
            await connection.close()
        return True


def _by_order(rows: list[asyncpg.Record], pattern: re.Pattern[str]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        if match := pattern.search(row["text"]):
            found[match.group(1)].append(str(row["delivery_id"]))
    return dict(found)


async def _say_nothing(_: Exception) -> None:
    """Ignore refused connections while the server is down."""
