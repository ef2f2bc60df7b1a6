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
from services import topology
from services.ingest.ledger.store import LedgerStore

# Streams that fill are looked for this often; one look in so many tidies up everything.
LOOK_S = 3.0
_LOOKS = 5
# From this share of its bound on, a stream gives up what the window asks for: a full one shuts out every tenant.
_CROWDED = 0.5
# To purge much at a time holds up who publishes: as much as must be, then more where that was not enough.
_LEAST_SHARE = 1 / 16
# Ids of purged messages are forgotten when the server restarts, so they stay as long as the window.
KEEP_S = topology.DUPLICATE_WINDOW_S

log = logs.get(__name__)


class Janitor:
    """Samples each stream's end; what lay before a sample old enough, and before all ack floors, goes.

    Of a stream that fills, the oldest goes that lies before all ack floors.
    """

    def __init__(self, connection: Client, store: LedgerStore, *, keep_s: float = KEEP_S) -> None:
        self._jetstream = connection.jetstream(timeout=5)
        self._store = store
        self._keep_s = keep_s
        self._samples: dict[str, deque[tuple[float, int]]] = {}
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
        for stream in (topology.EVENTS, topology.DELIVERIES, topology.TRACE, topology.TIMERS):
            with _tolerant(stream):
                info = await self._jetstream.stream_info(stream)
                await self._purge(stream, info, self._old_enough(stream, info.state))
        await self.relieve()

    async def relieve(self) -> None:
        """Make room in the streams that fill. Ids of what goes are forgotten when the server restarts."""
        for stream in (topology.EVENTS, topology.DELIVERIES, topology.TRACE):
            with _tolerant(stream):
                share = 0.0
                while share < 1 and (excess := _excess(info := await self._jetstream.stream_info(stream))):
                    share = min(1.0, max(4 * share, excess, _LEAST_SHARE))
                    first, last = info.state.first_seq, info.state.last_seq
                    await self._purge(stream, info, first + int((last - first) * share))

    async def _ledger_is_up(self) -> bool:
        """Whether the ledger has been handed all events; before that its count would miss most of them."""
        try:
            info = await self._jetstream.consumer_info(topology.EVENTS, "ledger")
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError):
            return False
        return not info.num_pending

    async def _purge(self, stream: str, info: StreamInfo, last: int) -> None:
        """Remove what all have acknowledged, of the messages up to last."""
        for subject, floor in (await self._floors(stream)).items():
            before = min(floor, last) + 1
            key = (stream, info.created, subject)
            if before > self._purged.get(key, 1):
                await self._jetstream.purge_stream(stream, seq=before, subject=subject)
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
        """Return for each subject filter how far all of its consumers have acknowledged.

        TIMERS is only ever purged by the subjects of what has fired: a purge by sequence alone would
        take the timers that still wait.
        """
        floors: dict[str, int] = {}
        for consumer in topology.consumers():
            if consumer.stream != stream:
                continue
            info = await self._jetstream.consumer_info(stream, consumer.name)
            floor = info.ack_floor.stream_seq if info.ack_floor else 0
            if not info.num_ack_pending and not info.num_pending and info.delivered:
                floor = max(floor, info.delivered.stream_seq)
            for subject in consumer.subjects:
                floors[subject] = min(floor, floors.get(subject, floor))
        whole = floors.get("events.*")
        if whole is not None:  # the ledger reads all lanes, the router each on its own
            del floors["events.*"]
            floors = {subject: min(floor, whole) for subject, floor in floors.items()}
        return floors


def _excess(info: StreamInfo) -> float:
    """Return which share of a crowded stream's bytes would have to go; 0: it is not crowded."""
    bound = (info.config.max_bytes or 0) * _CROWDED
    return max(0.0, 1 - bound / info.state.bytes) if bound > 0 and info.state.bytes else 0.0


@contextlib.contextmanager
def _tolerant(stream: str) -> Iterator[None]:
    """Let a stream be, this time, whose broker does not answer."""
    try:
        yield
    except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
        log.warning("tidy_stream_failed", stream=stream, error=repr(error))
