"""Replaces the digests that an earlier version stored without a key by keyed ones, once after the upgrade.

A SQL migration cannot do it, because the database does not have the key. So the first process of this version copies
the old rows. The old rows and their configuration keys stay for an hour, because processes of the earlier version may
still run; what these write is copied every minute. Then they are deleted.
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
from runtime.bucket import STREAM
from runtime.bucket_keys import BUCKET
from runtime.configuration import ConfigurationOutbox, ConfigurationWatch
from runtime.errors import ClarionError, Code
from runtime.reconcile import FAILURES, Reconciler
from services.domain import pseudonym_keys, pseudonyms
from services.domain.pseudonyms import Pseudonyms

# Seconds: how long processes of the earlier version may still run; between two copies of what they write; before the
# next try while PostgreSQL or NATS is away.
OVERLAP_S = 3600.0
_LOOK_S = 60.0
_AWAY_PAUSE_S = (0.75, 1.25)

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class UnkeyedDigests:
    """The unkeyed digests of one owner.

    copy: copies their rows and returns the number of new ones; may be called again. remove: deletes their rows.
    prefix: the first part of their keys in the configuration bucket.
    """

    copy: Callable[[], Awaitable[int]]
    remove: Callable[[], Awaitable[None]]
    prefix: str


class DigestMigration:
    """Migrates the digests of one owner. owner: its database schema, which has a table pseudonym_key."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        connection: Client,
        outbox: ConfigurationOutbox,
        reconciler: Reconciler,
        keyed: Pseudonyms,
        *,
        owner: str,
        unkeyed: UnkeyedDigests,
    ) -> None:
        self._pool = pool
        self._jetstream = connection.jetstream(timeout=10)
        self._outbox = outbox
        self._reconciler = reconciler
        self._keyed = keyed
        self._owner = owner
        self._unkeyed = unkeyed
        self._refusal: ClarionError | None = None

    async def run(self) -> None:
        """Migrate; return when the old rows are deleted. Raises INVALID if the stored digests have another key."""
        await self._until_done(self.adopt)
        until = time.monotonic() + OVERLAP_S
        while time.monotonic() < until:
            await asyncio.sleep(_LOOK_S)
            await self._until_done(self._copy)
        await self._until_done(self.remove)

    async def ready(self, watch: ConfigurationWatch) -> None:
        """Return when the keyed digests are published. Raises INVALID if they have another key."""
        waiting = asyncio.create_task(pseudonym_keys.recognise(watch, self._keyed, self._owner))
        try:
            while not waiting.done() and self._refusal is None:
                await asyncio.wait([waiting], timeout=0.1)
            if self._refusal is not None:
                raise self._refusal
            await waiting
        finally:
            waiting.cancel()

    async def adopt(self) -> None:
        """Copy the old rows, then publish the key's fingerprint. Raises INVALID if the stored one is another."""
        table = f"{self._owner}.pseudonym_key"
        # Before any row is copied: if two processes start with different keys, one of them must fail.
        insert = f"INSERT INTO {table} (fingerprint) VALUES ($1) ON CONFLICT DO NOTHING"
        await self._pool.execute(insert, self._keyed.fingerprint)
        [stored] = await self._pool.fetch(f"SELECT fingerprint, copied FROM {table}")
        pseudonyms.check(stored["fingerprint"].encode(), self._keyed)
        # Publish also where an earlier process copied the rows and ended before it published them.
        await self._copy(publish=not stored["copied"])
        async with self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(f"UPDATE {table} SET copied = true WHERE NOT copied RETURNING copied"):
                await self._outbox.add(connection, pseudonyms.key(self._owner), self._keyed.fingerprint.encode())
        await self._outbox.flush()

    async def remove(self) -> None:
        """Delete the old rows, and purge their keys from the configuration bucket."""
        await self._copy()
        await self._unkeyed.remove()
        await self._jetstream.purge_stream(STREAM, subject=f"$KV.{BUCKET}.{self._unkeyed.prefix}.>")

    async def _copy(self, *, publish: bool = False) -> None:
        copied = await self._unkeyed.copy()
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
                log.warning("digest_migration_waits", owner=self._owner, error=repr(error))
                await asyncio.sleep(random.uniform(*_AWAY_PAUSE_S))  # noqa: S311 - jitter, not a secret
            else:
                return
