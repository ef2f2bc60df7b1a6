"""Keeps the streams and tables from growing: removes what every consumer has done with and no window needs.

Runs in every ingest process; all it does may be done twice.
"""

import asyncio
import random
import time
from collections import deque

import asyncpg
import nats.errors
import nats.js.errors
from nats.aio.client import Client

from runtime import logs, postgres
from services import topology
from services.ingest.ledger.store import LedgerStore

INTERVAL_S = 15.0
# Ids of purged messages are forgotten when the server restarts, so they stay as long as the window.
KEEP_S = topology.DUPLICATE_WINDOW_S

log = logs.get(__name__)


class Janitor:
    """Samples each stream's end; what lay before a sample old enough, and before all ack floors, goes."""

    def __init__(self, connection: Client, store: LedgerStore, *, keep_s: float = KEEP_S) -> None:
        self._jetstream = connection.jetstream(timeout=5)
        self._store = store
        self._keep_s = keep_s
        self._samples: dict[str, deque[tuple[float, int]]] = {}

    async def run(self) -> None:
        """Tidy up for ever."""
        while True:
            await asyncio.sleep(INTERVAL_S * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, not a secret
            await self.tidy()

    async def tidy(self) -> None:
        """Once."""
        try:
            await self._store.tidy(recount=await self._ledger_is_up())
        except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            log.warning("tidy_tables_failed", error=repr(error))
        for stream in (topology.EVENTS, topology.DELIVERIES, topology.TRACE, topology.TIMERS):
            try:
                await self._purge(stream)
            except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
                log.warning("tidy_stream_failed", stream=stream, error=repr(error))

    async def _ledger_is_up(self) -> bool:
        """Whether the ledger has been handed all events; before that its count would miss most of them."""
        try:
            info = await self._jetstream.consumer_info(topology.EVENTS, "ledger")
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError):
            return False
        return not info.num_pending

    async def _purge(self, stream: str) -> None:
        old_enough = await self._old_enough(stream)
        for subject, floor in (await self._floors(stream)).items():
            before = min(floor, old_enough) + 1
            if before > 1:
                await self._jetstream.purge_stream(stream, seq=before, subject=subject)

    async def _old_enough(self, stream: str) -> int:
        """Return the last sequence that the stream had a window ago."""
        samples = self._samples.setdefault(stream, deque())
        state = (await self._jetstream.stream_info(stream)).state
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
