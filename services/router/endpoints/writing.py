"""Transactions that change a tenant's endpoints or workflows: one at a time of a tenant, published with their rows."""

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import asyncpg

from runtime import postgres
from runtime.configuration import ConfigurationOutbox
from runtime.errors import ClarionError, Code
from services.domain import topology
from services.router.endpoints import publication
from services.router.workflows.publication import workflows_values

Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

_SQL = postgres.Queries(Path(__file__).with_name("writing.sql"))
# Seconds to wait for a free connection, and for earlier changes of the same tenant in this process.
_ACQUIRE_S, _TURN_S = 5.0, 5.0


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a tenant has, or by how much that changes."""

    endpoints: int = 0
    event_types: int = 0
    applications: int = 0
    subscriptions: int = 0
    filter_bytes: int = 0


@dataclass(slots=True)
class TenantWrite:
    """A transaction under a tenant's lock.

    endpoints, event_types, workflows: ids of endpoints, names of types whose subscribers change, and of those whose
    workflows do: their keys are written at its end.
    revision: after the end, see runtime.configuration.ConfigurationOutbox.publish; 0 if nothing was to be published.
    """

    connection: Connection
    tenant_id: str
    endpoints: dict[str, None] = field(default_factory=dict)
    event_types: dict[str, None] = field(default_factory=dict)
    workflows: dict[str, None] = field(default_factory=dict)
    revision: int = 0

    def changes(
        self,
        *,
        endpoints: Iterable[object] = (),
        event_types: Iterable[str] = (),
        workflows: Iterable[str] = (),
    ) -> None:
        """Publish these endpoints, the subscribers of these types, and the workflows of these, as they are at the end.

        A type that is declared or not any more is one whose workflows change.
        """
        self.endpoints.update(dict.fromkeys(map(str, endpoints)))
        self.event_types.update(dict.fromkeys(event_types))
        self.workflows.update(dict.fromkeys(workflows))

    async def count(self, change: Counts) -> Counts:
        """Change the tenant's counts, and return them."""
        row = await self.connection.fetchrow(
            _SQL.count,
            self.tenant_id,
            change.endpoints,
            change.event_types,
            change.applications,
            change.subscriptions,
            change.filter_bytes,
        )
        return Counts(**dict(row or {}))

    async def delete_subscriptions(self, endpoint_ids: Sequence[object]) -> None:
        """Delete all subscriptions of these endpoints."""
        rows = await self.connection.fetch(_SQL.delete_subscriptions, self.tenant_id, endpoint_ids)
        self.changes(event_types=[row["name"] for row in rows])
        subscriptions, filter_bytes = (sum(row[name] for row in rows) for name in ("subscribers", "filter_bytes"))
        await self.count(Counts(subscriptions=-subscriptions, filter_bytes=-filter_bytes))

    async def delete_endpoints(self, endpoint_ids: Sequence[object]) -> int:
        """Delete endpoints with all that belongs to them; return the number of those that existed."""
        await self.delete_subscriptions(endpoint_ids)
        deleted: int = await self.connection.fetchval(_SQL.delete_endpoints, self.tenant_id, endpoint_ids)
        self.changes(endpoints=endpoint_ids)
        await self.count(Counts(endpoints=-deleted))
        return deleted


class TenantWrites:
    """Begins such transactions. They raise UNAVAILABLE while PostgreSQL is away, OVERLOADED if too many wait."""

    def __init__(self, pool: Pool, outbox: ConfigurationOutbox) -> None:
        self._pool = pool
        self._outbox = outbox
        # One connection of the pool at most is with one tenant; other tenants' changes need not wait for it.
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def begin(self, tenant_id: str) -> AsyncIterator[TenantWrite]:
        """Run the block in a transaction. Once it is committed, publish what it changed, and set the revision."""
        async with self._turn(tenant_id):
            with postgres.unavailable_while_down():
                async with self._pool.acquire(timeout=_ACQUIRE_S) as connection, connection.transaction():
                    await connection.execute(_SQL.lock_tenant, tenant_id)
                    write = TenantWrite(connection, tenant_id)
                    yield write
                    last_key = await self._publish(write)
        if last_key:
            write.revision = await self._outbox.publish(last_key)

    async def flush(self) -> None:
        """Publish what is waiting."""
        await self._outbox.flush()

    @contextlib.asynccontextmanager
    async def _turn(self, tenant_id: str) -> AsyncIterator[None]:
        lock = self._turns.setdefault(tenant_id, asyncio.Lock())
        try:
            async with asyncio.timeout(_TURN_S):
                await lock.acquire()
        except TimeoutError:
            text = "Other changes of this tenant's endpoints or workflows are under way: try again."
            raise ClarionError(Code.OVERLOADED, text, retry_after=1) from None
        try:
            yield
        finally:
            lock.release()

    async def _publish(self, write: TenantWrite) -> str:
        """Write the outbox rows; return the last key, empty if there is none."""
        tenant_id, connection = write.tenant_id, write.connection
        values = await publication.endpoint_values(connection, [(tenant_id, one) for one in write.endpoints])
        values |= await publication.subscribers_values(connection, [(tenant_id, one) for one in write.event_types])
        values |= await workflows_values(connection, [(tenant_id, one) for one in write.workflows])
        keys = [
            *(topology.endpoint_key(tenant_id, one) for one in write.endpoints),
            *(topology.subscribers_key(tenant_id, one) for one in write.event_types),
            *(topology.workflows_key(tenant_id, one) for one in write.workflows),
        ]
        if not keys:
            return ""
        await self._outbox.add_all(connection, [(key, values.get(key)) for key in keys])
        return keys[-1]
