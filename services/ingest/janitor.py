"""Keeps the streams and tables from growing: removes what every consumer has done with and no window needs.

Runs in every ingest process; all it does may be done twice.
"""

import asyncio
import contextlib
import itertools
import random
import time
from collections import deque
from collections.abc import Iterator

import asyncpg
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js.api import StreamInfo, StreamState

from runtime import logs, postgres
from services.domain import topology
from services.ingest.ledger.store import LedgerStore
from services.ingest.pressure import CROWDED, Pressure

# Streams that fill are looked for this often; one look in so many tidies up everything.
LOOK_S = 3.0
_LOOKS = 8
# To purge much at a time holds up publishers: as much as must be, then more where that was not enough.
_LEAST_SHARE = 1 / 16
# Ids of purged messages are forgotten when the server restarts, so they stay as long as the window.
KEEP_S = topology.DUPLICATE_WINDOW_S
_BOUNDED = (topology.EVENTS, topology.DELIVERIES, topology.TRACE)
# Messages of TRACE have no id, nor has what falls due: they go as soon as they are acknowledged.
_WITHOUT_IDS = (topology.TRACE, topology.TIMERS)
# What has fired goes at every look once TIMERS holds this share of what the other streams may.
_TIMERS_SHARE = 1 / 64

log = logs.get(__name__)


class Janitor:
    """Samples each stream's end; what lay before a sample old enough, and before all ack floors, goes.

    Of a stream that fills, the oldest goes that lies before all ack floors.
    """

    def __init__(
        self, connection: Client, store: LedgerStore, pressure: Pressure | None = None, *, keep_s: float = KEEP_S
    ) -> None:
        self._jetstream = connection.jetstream(timeout=5)
        self._store = store
        self._pressure = pressure or Pressure()
        self._keep_s = keep_s
        self._samples: dict[str, deque[tuple[float, int]]] = {}
        # Where each stream began when it was last looked at.
        self._firsts: dict[str, int] = {}
        # Before which sequence a subject was purged, by when its stream was made, too.
        self._purged: dict[tuple[object, ...], int] = {}

    async def run(self) -> None:
        """Tidy up for ever."""
        for look in itertools.count(1):
            await asyncio.sleep(LOOK_S * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, not a secret
            await (self.relieve() if look % _LOOKS else self.tidy())

    async def tidy(self) -> None:
        """Once."""
        try:
            await self._store.tidy(recount=await self._ledger_is_up())
        except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            log.warning("tidy_tables_failed", error=repr(error))
        for stream in (*_BOUNDED, topology.TIMERS):
            with _tolerant(stream):
                await self._purge_spent(stream)
        await self.relieve()

    async def relieve(self) -> None:
        """Make room in the streams that fill, and note how full all are.

        Ids of what makes room are forgotten when the server restarts.
        """
        bound = 0
        for stream in _BOUNDED:
            with _tolerant(stream):
                info = await self._make_room(stream)
                bound = info.config.max_bytes or 0
                self._pressure.record(stream, info.state.bytes, bound)
        with _tolerant(topology.TIMERS):
            info = await self._jetstream.stream_info(topology.TIMERS)
            if info.state.bytes > bound * _TIMERS_SHARE:
                await self._purge(topology.TIMERS, info, info.state.last_seq)
                info = await self._jetstream.stream_info(topology.TIMERS)
            # The broker cannot bound TIMERS without losing timers; admission keeps it below the others' bound.
            self._pressure.record(topology.TIMERS, info.state.bytes, bound)

    async def spent(self, stream: str) -> int:
        """Return the last sequence up to which nobody has to do with anything in a stream, the window aside."""
        floor = min((await self._floors(stream)).values())
        if stream == topology.TIMERS:
            waiting = await self._next(stream, topology.WAITING_TIMERS, 1)
            floor = floor if waiting is None else min(floor, waiting - 1)
        return floor

    async def _purge_spent(self, stream: str) -> None:
        """Purge what all have acknowledged and no window needs."""
        info = await self._jetstream.stream_info(stream)
        last = info.state.last_seq if stream in _WITHOUT_IDS else self._old_enough(stream, info.state)
        first, self._firsts[stream] = self._firsts.get(stream), info.state.first_seq
        if first is not None and info.state.first_seq > first:
            return  # another process's janitor did: one at a time is enough
        await self._purge(stream, info, last)
        self._firsts[stream] = (await self._jetstream.stream_info(stream)).state.first_seq

    async def _make_room(self, stream: str) -> StreamInfo:
        """Purge the oldest of a crowded stream until it is not, or nothing more may go; return how it stands."""
        share = 0.0
        while True:
            info = await self._jetstream.stream_info(stream)
            excess = _excess(info)
            if share >= 1 or not excess:
                return info
            share = min(1.0, max(4 * share, excess, _LEAST_SHARE))
            first, last = info.state.first_seq, info.state.last_seq
            await self._purge(stream, info, first + int((last - first) * share), by_lane=True)

    async def _ledger_is_up(self) -> bool:
        """Whether the ledger has been handed all events; before that its count would miss most of them."""
        try:
            info = await self._jetstream.consumer_info(topology.EVENTS, "ledger")
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError):
            return False
        return not info.num_pending

    async def _purge(self, stream: str, info: StreamInfo, last: int, *, by_lane: bool = False) -> None:
        """Remove what all have acknowledged, of the messages up to last.

        By sequence alone the broker drops whole files; by lane it looks at each message, and publishers wait
        meanwhile. So lanes are told apart only where one that waits would keep too many of the others' messages.
        TIMERS is only ever purged by the subjects of what has fired: by sequence alone its waiting timers would go.
        """
        floors = await self._floors(stream)
        if not by_lane and stream != topology.TIMERS:
            floors = {"": min(floors.values())}
        for subject, floor in floors.items():
            before = min(floor, last) + 1
            key = (stream, info.created, subject)
            if before > self._purged.get(key, 1):
                await self._jetstream.purge_stream(stream, seq=before, subject=subject or None)
                self._purged[key] = before

    def _old_enough(self, stream: str, state: StreamState) -> int:
        """Return the last sequence that the stream had a window ago."""
        samples = self._samples.setdefault(stream, deque())
        now = time.monotonic()
        samples.append((now, state.last_seq))
        last = 0
        while samples and samples[0][0] <= now - self._keep_s:
            last = samples.popleft()[1]
        if last:
            samples.appendleft((now - self._keep_s, last))
        return last

    async def _floors(self, stream: str) -> dict[str, int]:
        """Return for each subject filter how far all of its consumers have acknowledged."""
        floors: dict[str, int] = {}
        for consumer in topology.consumers():
            if consumer.stream != stream:
                continue
            floor = await self._floor(consumer)
            for subject in consumer.subjects:
                floors[subject] = min(floor, floors.get(subject, floor))
        whole = floors.get("events.*")
        if whole is not None:  # the ledger reads all lanes, the router each on its own
            del floors["events.*"]
            floors = {subject: min(floor, whole) for subject, floor in floors.items()}
        return floors

    async def _floor(self, consumer: topology.Consumer) -> int:
        """Return the last sequence up to which nothing is left to do for a consumer.

        What it acknowledged last may lie far back. Its own count of what is pending is a moment late, so the stream is
        asked for the next message of its subjects.
        """
        last = (await self._jetstream.stream_info(consumer.stream)).state.last_seq
        info = await self._jetstream.consumer_info(consumer.stream, consumer.name)
        floor = info.ack_floor.stream_seq if info.ack_floor else 0
        next_ones = [await self._next(consumer.stream, subject, floor + 1) for subject in consumer.subjects]
        return min((found - 1 for found in next_ones if found is not None), default=max(floor, last))

    async def _next(self, stream: str, subject: str, sequence: int) -> int | None:
        """Return the sequence of the first message of a subject at or after sequence; None: there is none."""
        try:
            found = await self._jetstream.get_msg(stream, sequence, subject=subject, next=True)
        except nats.js.errors.NotFoundError:
            return None
        return found.seq


def _excess(info: StreamInfo) -> float:
    """Return which share of a crowded stream's bytes would have to go; 0: it is not crowded.

    A crowded one gives up what the window asks for: a full one shuts out every tenant.
    """
    bound = (info.config.max_bytes or 0) * CROWDED
    return max(0.0, 1 - bound / info.state.bytes) if bound > 0 and info.state.bytes else 0.0


@contextlib.contextmanager
def _tolerant(stream: str) -> Iterator[None]:
    """Let a stream be, this time, whose broker does not answer."""
    try:
        yield
    except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
        log.warning("tidy_stream_failed", stream=stream, error=repr(error))
