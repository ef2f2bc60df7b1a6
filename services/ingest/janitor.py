"""Bounds streams and tables: purges messages that all consumers have acknowledged and no duplicate window needs.

Runs in every ingest process; all of its work may be done twice.
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

# Seconds between two checks for crowded streams; every so many checks everything is tidied.
LOOK_S = 3.0
_LOOKS = 8
# Purging much at once delays publishers: start with this share of a stream, and go on while it is crowded.
_LEAST_SHARE = 1 / 16
# A restarted server forgets the ids of purged messages, so messages stay for the duplicate window.
KEEP_S = topology.DUPLICATE_WINDOW_S
_BOUNDED = (topology.EVENTS, topology.DELIVERIES, topology.TRACE)
# Messages of TRACE and due timers have no ids: they are purged as soon as they are acknowledged.
_WITHOUT_IDS = (topology.TRACE, topology.TIMERS)
# Fired timers are purged at every check once TIMERS exceeds this share of the other streams' bound.
_TIMERS_SHARE = 1 / 64

log = logs.get(__name__)


class Janitor:
    """Purges messages older than the window and acknowledged by all consumers; of a crowded stream, younger ones too.

    Samples each stream's last sequence to know how old a message is.
    """

    def __init__(
        self, connection: Client, store: LedgerStore, pressure: Pressure | None = None, *, keep_s: float = KEEP_S
    ) -> None:
        self._jetstream = connection.jetstream(timeout=5)
        self._store = store
        self._pressure = pressure or Pressure()
        self._keep_s = keep_s
        self._samples: dict[str, deque[tuple[float, int]]] = {}
        # Each stream's first sequence at the last check.
        self._firsts: dict[str, int] = {}
        # Up to which sequence a subject was purged. The key has the stream's creation time.
        self._purged: dict[tuple[object, ...], int] = {}

    async def run(self) -> None:
        """Tidy until cancelled."""
        for look in itertools.count(1):
            await asyncio.sleep(LOOK_S * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, not a secret
            await (self.relieve() if look % _LOOKS else self.tidy())

    async def tidy(self) -> None:
        """Tidy tables and streams once."""
        try:
            await self._store.tidy(recount=await self._ledger_is_up())
        except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            log.warning("tidy_tables_failed", error=repr(error))
        for stream in (*_BOUNDED, topology.TIMERS):
            with _tolerant(stream):
                await self._purge_spent(stream)
        await self.relieve()

    async def relieve(self) -> None:
        """Purge crowded streams, and record how full all streams are.

        A restarted server forgets the ids of the purged messages.
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
            # The broker cannot bound TIMERS without losing timers, so admission keeps it below the others' bound.
            self._pressure.record(topology.TIMERS, info.state.bytes, bound)

    async def spent(self, stream: str) -> int:
        """Return the sequence up to which no consumer and no timer needs a stream's messages; ignores the window."""
        floor = min((await self._floors(stream)).values())
        if stream == topology.TIMERS:
            waiting = await self._next(stream, topology.WAITING_TIMERS, 1)
            floor = floor if waiting is None else min(floor, waiting - 1)
        return floor

    async def _purge_spent(self, stream: str) -> None:
        """Purge messages that are acknowledged and older than the window."""
        info = await self._jetstream.stream_info(stream)
        last = info.state.last_seq if stream in _WITHOUT_IDS else self._old_enough(stream, info.state)
        first, self._firsts[stream] = self._firsts.get(stream), info.state.first_seq
        if first is not None and info.state.first_seq > first:
            return  # another process has purged it meanwhile
        await self._purge(stream, info, last)
        self._firsts[stream] = (await self._jetstream.stream_info(stream)).state.first_seq

    async def _make_room(self, stream: str) -> StreamInfo:
        """Purge the oldest messages of a crowded stream while there are acknowledged ones; return its state."""
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
        """Return whether the ledger has received all events; before that it cannot count them."""
        try:
            info = await self._jetstream.consumer_info(topology.EVENTS, "ledger")
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError):
            return False
        return not info.num_pending

    async def _purge(self, stream: str, info: StreamInfo, last: int, *, by_lane: bool = False) -> None:
        """Purge the messages up to last that all consumers have acknowledged.

        A purge by sequence drops whole files; one by lane reads each message, and publishers wait meanwhile. So lanes
        are purged apart only where a slow one would keep too many of the others' messages. TIMERS is always purged by
        the subjects of fired timers, because a purge by sequence would delete waiting ones.
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
        """Return the stream's last sequence of one window ago."""
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
        """Return for each subject filter the sequence up to which all of its consumers have acknowledged."""
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
        """Return the sequence up to which a consumer has nothing left to do.

        Its last acknowledged message may be long ago, and its own count of pending messages is a moment late. So the
        stream is asked for the next message of its subjects.
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
    """Return the share of a crowded stream's bytes that has to be purged; 0: it is not crowded.

    It is purged although the duplicate window needs the messages, because a full stream refuses every tenant.
    """
    bound = (info.config.max_bytes or 0) * CROWDED
    return max(0.0, 1 - bound / info.state.bytes) if bound > 0 and info.state.bytes else 0.0


@contextlib.contextmanager
def _tolerant(stream: str) -> Iterator[None]:
    """Skip a stream for now if the broker does not answer."""
    try:
        yield
    except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
        log.warning("tidy_stream_failed", stream=stream, error=repr(error))
