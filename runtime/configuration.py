"""The distribution of configuration: owners write it to PostgreSQL, an outbox publishes it, every process watches it.

The owner writes its rows and the outbox row in one transaction, so no change is lost. Every process keeps a copy of
what it needs, so it starts and runs without PostgreSQL. If a key is missing in the copy, the owner is asked before
anyone acts on that.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import asyncpg
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from runtime import logs, postgres
from runtime.bucket import ConfigurationBucket
from runtime.bucket_keys import BUCKET
from runtime.errors import ClarionError, Code

_COMPLETE = "complete"
_HEARTBEAT_S = 5.0
# The pause before an outbox is read again, seconds: while NATS or PostgreSQL is unavailable (random), and otherwise.
_AWAY_PAUSE_S = (0.5, 1.0)
# Before the bucket is read again after a failure, seconds.
_RESTART_PAUSE_S = (0.15, 0.25)
_IDLE_S = 5.0
# How often a process logs that it is waiting for its copy, seconds.
_SAY_S = 10.0
# The most changes that an outbox publishes in one transaction, and the most bytes of their values (always at least one
# change), so that a transaction ends within flush()'s deadline.
_BATCH = 100
_BATCH_BYTES = 4 * 1024 * 1024

log = logs.get(__name__)


def marker_key(owner: str) -> str:
    """Return the key that exists while the bucket contains everything that an owner has published."""
    return f"{_COMPLETE}.{owner}"


async def mark_complete(connection: Client, owners: Iterable[str]) -> None:
    """Mark the bucket as containing everything of these owners."""
    bucket = ConfigurationBucket(connection)
    for owner in owners:
        await bucket.put(marker_key(owner), str(int(time.time())).encode())


async def lock_outbox(connection: Any, schema: str) -> None:
    """Lock an owner's outbox until the transaction ends: nobody else publishes its changes."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"{schema}.config_outbox")


class ConfigurationOutbox:
    """Publishes an owner's changes. Table: <schema>.config_outbox (id bigserial, key text, value bytea null)."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", schema: str, connection: Client) -> None:
        self._pool = pool
        self._schema = schema
        self._table = f"{schema}.config_outbox"
        self._bucket = ConfigurationBucket(connection)
        self._wake = asyncio.Event()
        self._is_waiting = False
        self._lock = asyncio.Lock()

    async def add(
        self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]", key: str, value: bytes | None
    ) -> None:
        """Record a change in the caller's transaction; None removes the key. Call flush() after the commit."""
        await connection.execute(f"INSERT INTO {self._table} (key, value) VALUES ($1, $2)", key, value)

    async def add_all(
        self,
        connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]",
        changes: Sequence[tuple[str, bytes | None]],
    ) -> None:
        """Record many changes as add() does, published in this order."""
        await connection.execute(
            f"INSERT INTO {self._table} (key, value) SELECT item.key, item.value"
            " FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS item (key, value, place) ORDER BY item.place",
            [key for key, _ in changes],
            [value for _, value in changes],
        )

    async def publish(self, key: str, deadline: float = 2.0) -> int:
        """Publish what is waiting, as flush() does, and return the key's newest revision in the bucket.

        For the last key of a committed change: a copy that has reached this revision (ConfigurationWatch.reached)
        contains the whole change, whichever process published it. 0: not all of it is known to be published yet.
        """
        if not await self.flush(deadline):
            return 0
        try:
            async with asyncio.timeout(deadline):
                # Not the revisions that this call wrote: another call or process may have published the change.
                return (await self._bucket.newest(key)).revision
        except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
            log.warning("config_revision_unknown", error=repr(error))
            return 0

    async def flush(self, deadline: float = 2.0) -> bool:
        """Publish what is waiting; return whether all of it was published. If not, run() publishes the rest later."""
        try:
            async with asyncio.timeout(deadline):
                await self._send_all()
        except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError, nats.errors.Error, nats.js.errors.Error) as error:
            if not self._is_waiting:  # once for an outage, however long
                log.warning("config_outbox_waits", error=repr(error))
            self._is_waiting = True
            self._wake.set()
            return False
        self._is_waiting = False
        return True

    async def run(self) -> None:
        """Publish what other processes and earlier failures left, for ever."""
        while True:
            self._wake.clear()
            if not await self.flush():
                await asyncio.sleep(random.uniform(*_AWAY_PAUSE_S))  # noqa: S311 - jitter, not a secret
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_IDLE_S):
                    await self._wake.wait()

    async def _send_all(self) -> None:
        async with self._lock, self._pool.acquire() as connection:
            while await self._send_some(connection):
                pass

    async def _send_some(self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> bool:
        async with connection.transaction():
            # Only one publisher at a time: otherwise two changes of a key could arrive in the wrong order.
            await lock_outbox(connection, self._schema)
            waiting = await connection.fetch(
                f"SELECT id, coalesce(octet_length(value), 0) AS size FROM {self._table} ORDER BY id LIMIT {_BATCH}"
            )
            if not waiting:
                return False
            ids = _first_ids(waiting)
            rows = await connection.fetch(f"SELECT key, value FROM {self._table} WHERE id = ANY($1) ORDER BY id", ids)
            await self._bucket.put_all(_newest(rows))
            await connection.execute(f"DELETE FROM {self._table} WHERE id = ANY($1)", ids)
            return len(ids) < len(waiting) or len(waiting) == _BATCH


def _newest(changes: "Sequence[asyncpg.Record]") -> dict[str, bytes | None]:
    """Return the newest value of each key, in the order of these.

    So the revision of the last key of a change says that all of it is in the bucket (publish).
    """
    newest: dict[str, bytes | None] = {}
    for row in changes:
        newest.pop(row["key"], None)
        newest[row["key"]] = row["value"]
    return newest


def _first_ids(waiting: "Sequence[asyncpg.Record]") -> list[int]:
    """Return the ids of the first rows that together have at most _BATCH_BYTES, and of at least one."""
    ids: list[int] = []
    size = 0
    for row in waiting:
        size += row["size"]
        if ids and size > _BATCH_BYTES:
            break
        ids.append(row["id"])
    return ids


class ConfigurationWatch:
    """A copy in memory of all keys with the given prefixes ("tenants", "templates"), which follows the bucket."""

    def __init__(
        self,
        connection: Client,
        prefixes: Sequence[str],
        on_change: Callable[[str, bytes | None], None] | None = None,
    ) -> None:
        self._nats = connection
        self._jetstream: JetStreamContext = connection.jetstream(timeout=2)
        self._filters = [f"$KV.{BUCKET}.{prefix}.>" for prefix in (*prefixes, _COMPLETE)]
        self._on_change = on_change
        self._values: dict[str, bytes] = {}
        self._ready = asyncio.Event()
        self._revision = 0
        # Set, and replaced by a new one, whenever the revision is raised.
        self._raised = asyncio.Event()

    def get(self, key: str) -> bytes | None:
        """Return the key's value as last seen."""
        return self._values.get(key)

    def keys(self, prefix: str) -> list[str]:
        """Return the known keys that start with prefix."""
        return [key for key in self._values if key.startswith(prefix)]

    async def ready(self, deadline: float = 10.0) -> None:
        """Wait until the copy contains everything that is stored now. Raises UNAVAILABLE."""
        try:
            async with asyncio.timeout(deadline):
                await self._ready.wait()
        except TimeoutError:
            raise ClarionError(Code.UNAVAILABLE, f"The configuration bucket {BUCKET} does not answer.") from None

    async def complete(self, *owners: str) -> None:
        """Wait until the bucket contains everything that these owners have published; see runtime.reconcile.

        A bucket that was lost and is being rebuilt lacks what must not be missed: who is suppressed or erased.
        """
        await self._await([marker_key(owner) for owner in owners])

    async def reached(self, revision: int, deadline_s: float) -> bool:
        """Return whether the copy contains what was written up to this revision, after waiting for it if need be.

        revision: that of a key with one of this watch's prefixes (ConfigurationOutbox.publish). deadline_s: how long to
        wait at most, seconds.
        """
        if revision <= self._revision:  # as nearly always: no timer is needed
            return True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while self._revision < revision:
                    await self._raised.wait()
        return self._revision >= revision

    async def value(self, key: str) -> bytes:
        """Wait until the key has a value, and return it."""
        await self._await([key])
        return self._values[key]

    async def _await(self, keys: Sequence[str]) -> None:
        said = time.monotonic()
        while missing := [key for key in keys if key not in self._values]:
            if time.monotonic() - said > _SAY_S:
                said = time.monotonic()
                log.warning(
                    "configuration_incomplete",
                    waits_for=[key.split(".")[1] for key in missing],
                    hint="start these services, or run `clarion migrate`",
                )
            await asyncio.sleep(0.1)

    async def run(self) -> None:
        """Follow the bucket for ever; read it again whenever the connection or the server was lost."""
        while True:
            try:
                await self._follow()
            except (TimeoutError, nats.errors.Error, nats.js.errors.Error, OSError) as error:
                log.warning("config_watch_restarts", error=repr(error))
            await asyncio.sleep(random.uniform(*_RESTART_PAUSE_S))  # noqa: S311 - jitter, not a secret

    async def _follow(self) -> None:
        stream = f"KV_{BUCKET}"
        reconnects = self._nats.stats["reconnects"]
        inbox = self._nats.new_inbox()
        subscription = await self._nats.subscribe(inbox)
        try:
            # The copy contains everything up to here when it is ready, whether or not a key of ours was written last.
            upto = (await self._jetstream.stream_info(stream)).state.last_seq
            if upto < self._revision:  # the bucket was made again, or restored from a backup
                self._revision = 0
            consumer = await self._jetstream.add_consumer(
                stream,
                ConsumerConfig(
                    deliver_subject=inbox,
                    deliver_policy=DeliverPolicy.LAST_PER_SUBJECT,
                    ack_policy=AckPolicy.NONE,
                    filter_subjects=self._filters,
                    idle_heartbeat=_HEARTBEAT_S,
                    mem_storage=True,
                    num_replicas=1,
                    inactive_threshold=60,
                ),
            )
            waiting = consumer.num_pending or 0
            expected = 1
            while self._nats.stats["reconnects"] == reconnects:
                if expected > waiting:
                    self._ready.set()
                    self._raise_to(upto)
                message = await subscription.next_msg(timeout=3 * _HEARTBEAT_S)
                if message.reply == "" or not message.reply.startswith("$JS.ACK."):
                    last = (message.headers or {}).get("Nats-Last-Consumer", "0")
                    if int(last) >= expected:  # we are behind what was sent: some of it was lost
                        return
                    continue
                metadata = message.metadata
                if metadata.sequence.consumer != expected:
                    return
                expected += 1
                self._apply(message)
                # While the bucket is read, a message that comes early may be newer than one that is still missing.
                upto = max(upto, metadata.sequence.stream)
        finally:
            if self._nats.is_connected:
                await subscription.unsubscribe()

    def _raise_to(self, revision: int) -> None:
        if revision > self._revision:
            self._revision = revision
            self._raised.set()
            self._raised = asyncio.Event()

    def _apply(self, message: Msg) -> None:
        key = message.subject.removeprefix(f"$KV.{BUCKET}.")
        gone = (message.headers or {}).get("KV-Operation") in ("DEL", "PURGE")
        value = None if gone else message.data
        if value == self._values.get(key):  # written once more (ConfigurationBucket.rewrite), or read again: no change
            return
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value
        if self._on_change is not None:
            self._on_change(key, value)
