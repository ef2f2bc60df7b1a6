"""Brings an owner's digests of before over to keyed ones, at the start of the first process of this version.

The old rows cannot be brought over in SQL: the database has no key. They stay, with their keys in the configuration
bucket, for processes of the version before, which may still run; what these write is brought over every minute. After
an hour the old rows and the old keys are removed.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
from nats.aio.client import Client

from runtime import logs
from runtime.bucket import BUCKET, STREAM
from runtime.configuration import ConfigurationOutbox, ConfigurationWatch
from runtime.errors import ClarionError, Code
from runtime.reconcile import FAILURES, Reconciler
from services.domain import pseudonyms
from services.domain.pseudonyms import Pseudonyms

# How long processes of the version before may run beside those of this one; how often is looked for what they wrote;
# and how soon is tried again while PostgreSQL or NATS is away; seconds.
OVERLAP_S = 3600.0
_LOOK_S = 60.0
_AWAY_PAUSE_S = (0.75, 1.25)

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Former:
    """What the version before kept.

    copy: brings its rows over, again and again without harm, and returns how many were new; remove: deletes them;
    prefix: the first part of their keys in the bucket.
    """

    copy: Callable[[], Awaitable[int]]
    remove: Callable[[], Awaitable[None]]
    prefix: str


class Adoption:
    """One owner's. owner: its schema, which has a table pseudonym_key."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        connection: Client,
        outbox: ConfigurationOutbox,
        reconciler: Reconciler,
        keyed: Pseudonyms,
        *,
        owner: str,
        former: Former,
    ) -> None:
        self._pool = pool
        self._jetstream = connection.jetstream(timeout=10)
        self._outbox = outbox
        self._reconciler = reconciler
        self._keyed = keyed
        self._owner = owner
        self._former = former
        self._refusal: ClarionError | None = None

    async def run(self) -> None:
        """Do it; end when nothing of before is left. Raises INVALID: the key is not that of the stored digests."""
        await self._until_done(self.adopt)
        until = time.monotonic() + OVERLAP_S
        while time.monotonic() < until:
            await asyncio.sleep(_LOOK_S)
            await self._until_done(self._copy)
        await self._until_done(self.remove)

    async def ready(self, watch: ConfigurationWatch) -> None:
        """Return when the digests are known and made by this key. Raises INVALID: they were made by another one."""
        waiting = asyncio.create_task(pseudonyms.recognise(watch, self._keyed, self._owner))
        try:
            while not waiting.done() and self._refusal is None:
                await asyncio.wait([waiting], timeout=0.1)
            if self._refusal is not None:
                raise self._refusal
            await waiting
        finally:
            waiting.cancel()

    async def adopt(self) -> None:
        """Bring over what there is, then publish by which key digests are made. Raises INVALID: by another one."""
        table = f"{self._owner}.pseudonym_key"
        # Before any row is copied: of two first processes with different keys one must not start.
        insert = f"INSERT INTO {table} (fingerprint) VALUES ($1) ON CONFLICT DO NOTHING"
        await self._pool.execute(insert, self._keyed.fingerprint)
        [stored] = await self._pool.fetch(f"SELECT fingerprint, copied FROM {table}")
        pseudonyms.check(stored["fingerprint"].encode(), self._keyed)
        # Also where a former process brought the rows over and ended before they were published.
        await self._copy(publish=not stored["copied"])
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(f"UPDATE {table} SET copied = true WHERE NOT copied RETURNING copied"):
                await self._outbox.add(connection, pseudonyms.key(self._owner), self._keyed.fingerprint.encode())
        await self._outbox.flush()

    async def remove(self) -> None:
        """Remove what the version before kept, here and in the bucket, where no trace of it stays either."""
        await self._copy()
        await self._former.remove()
        await self._jetstream.purge_stream(STREAM, subject=f"$KV.{BUCKET}.{self._former.prefix}.>")

    async def _copy(self, *, publish: bool = False) -> None:
        copied = await self._former.copy()
        if copied:
            log.info("digests_keyed", owner=self._owner, rows=copied)
        if copied or publish:
            await self._reconciler.rebuild()

    async def _until_done(self, work: Callable[[], Awaitable[Any]]) -> None:
        while True:
            try:
                await work()
            except FAILURES as error:
                if isinstance(error, ClarionError) and error.code is Code.INVALID:
                    self._refusal = error
                    raise
                log.warning("digests_wait", owner=self._owner, error=repr(error))
                await asyncio.sleep(random.uniform(*_AWAY_PAUSE_S))  # noqa: S311 - jitter, not a secret
            else:
                return
