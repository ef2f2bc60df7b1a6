"""Makes the broker's files forget, too, who was erased.

What a stream has deleted stays in its file on the disk until the server gives up the file, and a file that still grows
is not given up: with little traffic that takes days. So a while after an erasure, when nothing of the person can be
under way any more, each stream's file is filled up, and what lies before is purged by sequence as soon as nobody needs
it: the server then deletes whole files. Every key of the configuration bucket is written once more, for the same end.
What attempts under way at the time of the erasure told the ledger goes, too.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import nats.errors
import nats.js.errors
from nats.aio.client import Client

from runtime import logs, postgres
from runtime.bucket import BUCKET, ConfigurationBucket
from runtime.errors import ClarionError
from services.domain import erasures, topology

# Of an erasure, seconds: a retry waits for a quarter of an hour at most, then it ends as skipped.
AFTER_S = 1200
# The broker's ids of what is purged would be lost if it restarted within the window, seconds.
KEEP_S = topology.DUPLICATE_WINDOW_S
_EVERY_S = 60.0
# Keys that come and go with people, and how long notes of their deletion stay for those who follow the bucket, seconds.
_FORGOTTEN = (topology.REVOCATIONS, erasures.PREFIX)
_NOTES_S = 3600.0
# The server's files have at most 8 MiB, its messages by default 1 MiB. Each filler replaces the one before.
_FILLER = bytes(1024 * 1024 - 4096)
_FILLERS = 9
_HEADERS = {"Nats-Rollup": "sub"}

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))

log = logs.get(__name__)


class Clearing:
    """Runs in every ingest process; of several at a time one works. What was begun any of them ends.

    spent: returns up to which sequence nobody needs a stream's messages (Janitor.spent).
    """

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        connection: Client,
        spent: Callable[[str], Awaitable[int]],
        *,
        after_s: float = AFTER_S,
        keep_s: float = KEEP_S,
    ) -> None:
        self._pool = pool
        self._jetstream = connection.jetstream(timeout=10)
        self._bucket = ConfigurationBucket(connection)
        self._spent = spent
        self._after_s = after_s
        self._keep_s = keep_s

    async def run(self) -> None:
        """Clear for ever."""
        while True:
            await asyncio.sleep(_EVERY_S * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, not a secret
            try:
                await self.step()
            except (
                *postgres.CONNECTION_ERRORS,
                asyncpg.PostgresError,
                nats.errors.Error,
                nats.js.errors.Error,
                ClarionError,
            ) as error:
                log.warning("clearing_waits", error=repr(error))

    async def step(self) -> bool:
        """Begin a clearing that is due, or go on with one; tell whether nothing is left to clear just now."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(_QUERIES.clearing, self._after_s, self._keep_s)
            if row is None:  # another process is at it
                return False
            if row["until"] is not None:
                return await self._go_on(connection, row)
            if row["due"] is None:
                return True
            # By itself, since it is done in a moment and what follows takes seconds; done twice it does nothing.
            await self._pool.execute(_QUERIES.erase_late_words, row["due"])
            sequences = {stream: await self._close_file(stream) for stream in topology.STORES}
            await self._bucket.rewrite(sequences.pop(BUCKET), forgotten=_FORGOTTEN, older_than_s=_NOTES_S)
            await connection.execute(_QUERIES.begin_clearing, row["due"], _encoded(sequences))
            return False

    async def _go_on(self, connection: Any, row: asyncpg.Record) -> bool:
        if not row["is_late_enough"]:
            return False
        left = {}
        for stream, last in msgspec.json.decode(row["sequences"], type=dict[str, int]).items():
            if await self._spent(stream) >= last:
                await self._jetstream.purge_stream(stream, seq=last + 1)
            else:
                left[stream] = last
        if left:
            await connection.execute(_QUERIES.go_on_clearing, _encoded(left))
            return False
        await connection.execute(_QUERIES.end_clearing)
        log.info("streams_cleared", until=row["until"].isoformat())
        return True

    async def _close_file(self, store: str) -> int:
        """Let the server begin a new file; return the last sequence of the closed ones."""
        for _ in range(_FILLERS):
            stored = await self._jetstream.publish(topology.probe_subject(store), _FILLER, headers=dict(_HEADERS))
        return stored.seq


def _encoded(sequences: Mapping[str, int]) -> str:
    return msgspec.json.encode(sequences).decode()
