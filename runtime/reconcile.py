"""Reconciliation: keeps the configuration bucket equal to its owners' tables, whatever was lost or changed by hand.

The tables are the truth. An owner lists what it publishes as ConfigurationSources. A Reconciler compares them with the
bucket, page by page, and writes what differs. A write holds the lock of the owner's outbox, reads the row under that
lock, and names the revision it replaces, so it never overwrites a newer value that the outbox publishes meanwhile.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import asyncpg
import msgspec
import nats.errors
import nats.js.errors
from nats.aio.client import Client

from runtime import logs, postgres
from runtime.bucket import WRONG_REVISION, ConfigurationBucket
from runtime.configuration import lock_outbox, mark_complete, marker_key
from runtime.errors import ClarionError

EXAMPLES = 5

# How often everything is compared, and how often a lost bucket is looked for, seconds.
_EVERY_S = 3600.0
_LOOK_S = 15.0
# How many keys are corrected in one transaction: the outbox waits for it.
_CHUNK = 64
# How often a write is tried whose key is changed at the same time.
_ATTEMPTS = 3
# The timeout of a statement that reads a page, seconds.
_STATEMENT_S = 30.0

log = logs.get(__name__)

FAILURES = (
    *postgres.CONNECTION_ERRORS,
    asyncpg.PostgresError,
    nats.errors.Error,
    nats.js.errors.Error,
    ClarionError,
)


class RowReader(Protocol):
    """Reads rows: runtime.postgres.BackgroundTransaction."""

    async def fetch(self, query: str, *arguments: object) -> "list[asyncpg.Record]":
        """Return all rows."""


@dataclass(frozen=True, slots=True)
class ConfigurationSource:
    """One kind of configuration, as it stands in its owner's tables.

    prefix: the first part of its keys, "tenants". keys(reader, after, limit): the next keys after this one (empty:
    from the first), in any fixed order. read(reader, keys): the values of the keys that exist; keys may be
    anything that starts with the prefix. batch: how many values are held at a time. keeps_no_trace: also
    remove the marker of a deleted key after an hour. A process that was away for longer then keeps the last value.
    """

    prefix: str
    keys: Callable[[RowReader, str, int], Awaitable[list[str]]]
    read: Callable[[RowReader, Sequence[str]], Awaitable[dict[str, bytes]]]
    batch: int = 200
    keeps_no_trace: bool = False


@dataclass(slots=True)
class Differences:
    """The number of keys that are missing in the bucket, differ, or are not in the tables; with examples."""

    missing: int = 0
    changed: int = 0
    removed: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """The number of keys that differ."""
        return self.missing + self.changed + self.removed

    def add(self, other: "Differences") -> None:
        """Add the differences of another comparison."""
        self.missing += other.missing
        self.changed += other.changed
        self.removed += other.removed
        self.examples = [*self.examples, *other.examples][:EXAMPLES]

    def count(self, key: str, wanted: bytes | None, stored: bytes | None) -> None:
        """Count a key that differs."""
        if stored is None:
            self.missing += 1
        elif wanted is None:
            self.removed += 1
        else:
            self.changed += 1
        self.examples = [*self.examples, key][:EXAMPLES]


class Reconciler:
    """Compares and rebuilds one owner's part of the bucket. schema: the owner's."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        connection: Client,
        schema: str,
        sources: Sequence[ConfigurationSource],
    ) -> None:
        self._pool = pool
        self._nats = connection
        self._bucket = ConfigurationBucket(connection)
        self._schema = schema
        self._sources = sources

    async def differences(self) -> Differences:
        """Compare without writing. Changes that the outbox has not published yet do not count. Raises FAILURES."""
        return await self._compare(writes=False)

    async def rebuild(self) -> Differences:
        """Make the bucket equal to the tables, mark it as complete, and return what differed.

        Raises one of FAILURES; what was put right until then stays so.
        """
        found = await self._compare(writes=True)
        await mark_complete(self._nats, [self._schema])
        if found.total:
            log.warning(
                "configuration_rebuilt",
                owner=self._schema,
                missing=found.missing,
                changed=found.changed,
                removed=found.removed,
                examples=found.examples,
            )
        else:
            log.info("configuration_compared", owner=self._schema)
        return found

    async def run(self) -> None:
        """Rebuild now, then every hour and whenever the bucket was lost, for ever."""
        while True:
            try:
                await self.rebuild()
                await self._wait()
            except FAILURES as error:
                log.warning("configuration_not_compared", owner=self._schema, error=repr(error))
                await asyncio.sleep(_jittered(_LOOK_S))

    async def _wait(self) -> None:
        """Return after an hour, or when the bucket is no longer marked as complete."""
        until = time.monotonic() + _jittered(_EVERY_S)
        while time.monotonic() < until:
            await asyncio.sleep(_jittered(_LOOK_S))
            if (await self._bucket.newest(marker_key(self._schema))).value is None:
                return

    async def _compare(self, *, writes: bool) -> Differences:
        found = Differences()
        for source in self._sources:
            await self._compare_rows(source, found, writes=writes)
            await self._find_left_over(source, found, writes=writes)
            if writes and source.keeps_no_trace:
                await self._bucket.forget_deleted(source.prefix, older_than_s=_EVERY_S)
        return found

    async def _compare_rows(self, source: ConfigurationSource, found: Differences, *, writes: bool) -> None:
        """Compare each key of the tables with the bucket."""
        after = ""
        while True:
            async with postgres.background_transaction(self._pool, _STATEMENT_S) as reader:
                keys = await source.keys(reader, after, source.batch)
                wanted = await source.read(reader, keys) if keys else {}
            if not keys:
                return
            stored = await self._bucket.read(keys)
            differ = [key for key in keys if not _is_same(wanted.get(key), stored.get(key))]
            found.add(await self._settle(source, differ, writes=writes))
            after = keys[-1]

    async def _find_left_over(self, source: ConfigurationSource, found: Differences, *, writes: bool) -> None:
        """Find keys of the bucket that are not in the tables."""
        async with contextlib.aclosing(self._bucket.keys(source.prefix)) as pages:
            async for page in pages:
                for keys in _chunks(page, source.batch):
                    async with postgres.background_transaction(self._pool, _STATEMENT_S) as reader:
                        wanted = await source.read(reader, keys)
                    left_over = [key for key in keys if key not in wanted]
                    found.add(await self._settle(source, left_over, writes=writes))

    async def _settle(self, source: ConfigurationSource, keys: Sequence[str], *, writes: bool) -> Differences:
        """Compare keys again under the outbox's lock, and correct those that still differ."""
        found = Differences()
        for chunk in _chunks(keys, min(_CHUNK, source.batch)):
            async with postgres.background_transaction(self._pool, _STATEMENT_S) as reader:
                await lock_outbox(reader, self._schema)
                wanted = await source.read(reader, chunk)
                # Read after the rows: a change committed in between is listed here, and the outbox publishes it.
                rows = await reader.fetch(
                    f"SELECT DISTINCT key FROM {self._schema}.config_outbox WHERE key = ANY ($1::text[])", chunk
                )
                waiting = {row["key"] for row in rows}
                # All writes end before the lock is released.
                outcomes = await asyncio.gather(
                    *[
                        self._settle_one(key, wanted.get(key), found, writes=writes)
                        for key in chunk
                        if key not in waiting
                    ],
                    return_exceptions=True,
                )
            for failure in outcomes:
                if failure is not None:
                    raise failure
        return found

    async def _settle_one(self, key: str, wanted: bytes | None, found: Differences, *, writes: bool) -> None:
        for attempt in range(_ATTEMPTS):
            stored = await self._bucket.newest(key)
            if _is_same(wanted, stored.value):
                return
            try:
                if writes:
                    await self._bucket.replace(key, wanted, revision=stored.revision)
            except nats.js.errors.APIError as error:
                # An earlier write arrived in between.
                if error.err_code not in WRONG_REVISION or attempt == _ATTEMPTS - 1:
                    raise
            else:
                found.count(key, wanted, stored.value)
                return


def _is_same(wanted: bytes | None, stored: bytes | None) -> bool:
    """Return whether two values are equal; JSON objects are equal in any order of their names."""
    if wanted == stored:
        return True
    if wanted is None or stored is None:
        return False
    try:
        return bool(msgspec.json.decode(wanted) == msgspec.json.decode(stored))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _chunks(keys: Sequence[str], size: int) -> list[Sequence[str]]:
    return [keys[start : start + size] for start in range(0, len(keys), size)]


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - jitter, not a secret
