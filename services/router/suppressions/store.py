"""Suppressions in PostgreSQL. Each change publishes the shards that it touches, in its transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import asyncpg

from clarion.common.v1 import event_pb2
from clarion.router.v1 import suppressions_pb2
from runtime import clock, configuration, postgres
from services.domain import suppression_list, topology
from services.router.suppressions.suppress import CheckedSuppression, Key

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))

_Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"


@dataclass(frozen=True, slots=True)
class StoredSuppression:
    """An active suppression. created_at_us: Unix microseconds."""

    id: str
    tenant_id: str
    channel: event_pb2.Channel.ValueType
    digest: bytes
    masked: str
    reason: suppressions_pb2.SuppressionReason.ValueType
    source: str
    detail: str
    created_at_us: int

    @property
    def key(self) -> Key:
        """See CheckedSuppression.key."""
        return self.tenant_id, self.channel, self.digest, self.reason


@dataclass(frozen=True, slots=True)
class SuppressionSearch:
    """Filters of a list; None and 0: any. digests: of any of these addresses."""

    tenant_id: str | None = None
    channel: int = 0
    reason: int = 0
    digests: Sequence[bytes] | None = None
    before: str | None = None
    tenant_ids: Sequence[str] | None = None


class SuppressionStore:
    """Reads and writes router.suppressed. Every method raises UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: configuration.ConfigurationOutbox) -> None:
        self._pool = pool
        self._outbox = outbox

    async def suppress(self, new: Iterable[CheckedSuppression]) -> Mapping[Key, StoredSuppression]:
        """Store and publish suppressions; return those of them that are active now."""
        by_key = {one.key: one for one in new}  # a statement cannot write a row twice
        keys = list(by_key)
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                for tenant_id in sorted({one.tenant_id for one in by_key.values()}):
                    await connection.execute(_SQL.lock_tenant, tenant_id)
                changed = await connection.fetch(_SQL.suppress, *_columns(by_key.values()))
                await self._publish(connection, [(str(row["tenant_id"]), row["shard"]) for row in changed])
                rows = await connection.fetch(_SQL.find, *map(list, zip(*keys, strict=True)))
        if changed:
            await self._outbox.flush()
        return {one.key: one for one in map(_stored, rows)}

    async def lift(self, suppression_id: str) -> StoredSuppression | None:
        """Lift a suppression and publish that; None: there is no active one with this id."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                tenant_id = await connection.fetchval(_SQL.tenant_of, suppression_id)
                if tenant_id is None:
                    return None
                await connection.execute(_SQL.lock_tenant, str(tenant_id))
                row = await connection.fetchrow(_SQL.lift, suppression_id)
                if row is None:  # another call lifted it meanwhile
                    return None
                stored = _stored(row)
                await self._publish(connection, [(stored.tenant_id, suppression_list.shard(stored.digest))])
        await self._outbox.flush()
        return stored

    async def get(self, suppression_id: str) -> StoredSuppression | None:
        """Return an active suppression."""
        with postgres.unavailable_while_down():
            row = await self._pool.fetchrow(_SQL.get, suppression_id)
        return _stored(row) if row is not None else None

    async def page(self, search: SuppressionSearch, limit: int) -> list[StoredSuppression]:
        """Return up to limit active suppressions, newest first."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(
                _SQL.page,
                search.tenant_id,
                search.channel,
                search.reason,
                search.digests,
                search.before,
                limit,
                search.tenant_ids,
            )
        return [_stored(row) for row in rows]

    async def _publish(self, connection: _Connection, changed: Iterable[tuple[str, int]]) -> None:
        by_tenant: defaultdict[str, list[int]] = defaultdict(list)
        for tenant_id, shard in changed:
            by_tenant[tenant_id].append(shard)
        for tenant_id, shards in by_tenant.items():
            entries: dict[int, list[tuple[bytes, int]]] = {shard: [] for shard in shards}
            for row in await connection.fetch(_SQL.shards, tenant_id, shards):
                entries[row["shard"]].append((row["digest"], row["flags"]))
            for shard, found in entries.items():
                value = suppression_list.pack(found) if found else None
                await self._outbox.add(connection, topology.suppressions_key(tenant_id, shard), value)


def _columns(new: Iterable[CheckedSuppression]) -> list[list[object]]:
    rows = [
        (
            one.id,
            one.tenant_id,
            one.channel,
            one.digest,
            one.reason,
            one.source,
            one.detail,
            one.masked,
            one.found_us,
        )
        for one in sorted(new, key=lambda one: one.key)
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def _stored(row: asyncpg.Record) -> StoredSuppression:
    return StoredSuppression(
        id=str(row["id"]),
        tenant_id=str(row["tenant_id"]),
        channel=event_pb2.Channel.ValueType(row["channel"]),
        digest=row["digest"],
        masked=row["masked"],
        reason=suppressions_pb2.SuppressionReason.ValueType(row["reason"]),
        source=row["source"],
        detail=row["detail"],
        created_at_us=clock.micros_of(row["created_at"]),
    )
