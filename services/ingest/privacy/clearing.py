"""Removes erased people from the broker's files on disk.

A purged message stays in its stream's file until the server deletes the file, and the server does not delete a file
that still grows: with little traffic that takes days. So some time after an erasure, when nothing of the person is
under way, each stream's current file is filled up, and the messages before are purged by sequence as soon as nobody
needs them: then the server deletes whole files. For the same purpose every key of the configuration bucket is written
again. What attempts recorded during the erasure is deleted from the ledger, too.
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
from runtime.bucket import ConfigurationBucket
from runtime.bucket_keys import BUCKET
from runtime.errors import ClarionError
from services.domain import erasures, topology

# Seconds after an erasure: a retry waits for at most a quarter of an hour, and is then skipped.
AFTER_S = 1200
# Seconds after the files were closed: a broker that restarts within the window forgets the ids of purged messages.
KEEP_S = topology.DUPLICATE_WINDOW_S
_EVERY_S = 60.0
# Keys of people, and how long the markers of their deletion stay for those who watch the bucket, seconds.
_FORGOTTEN = (topology.REVOCATIONS, erasures.PREFIX)
_NOTES_S = 3600.0
# The server's files have at most 8 MiB, messages by default 1 MiB. Each filler replaces the previous one.
_FILLER = bytes(1024 * 1024 - 4096)
_FILLERS = 9
_HEADERS = {"Nats-Rollup": "sub"}

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))

log = logs.get(__name__)


class Clearing:
    """Runs in every ingest process; one of them works at a time, and any of them goes on with what another one began.

    spent: returns the sequence up to which nobody needs a stream's messages (Janitor.spent).
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
        """Clear until cancelled."""
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
        """Begin a clearing that is due, or continue one; return whether nothing is left to clear."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(_QUERIES.clearing, self._after_s, self._keep_s)
            if row is None:  # another process works on it
                return False
            if row["until"] is not None:
                return await self._go_on(connection, row)
            if row["due"] is None:
                return True
            # A transaction of its own, because the rest takes seconds. It may be repeated.
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
        """Make the server begin a new file; return the last sequence of the closed files."""
        for _ in range(_FILLERS):
            stored = await self._jetstream.publish(topology.probe_subject(store), _FILLER, headers=dict(_HEADERS))
        return stored.seq


def _encoded(sequences: Mapping[str, int]) -> str:
    return msgspec.json.encode(sequences).decode()
