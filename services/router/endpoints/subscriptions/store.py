"""Subscriptions in PostgreSQL. Each change publishes the lists of subscribers that it touches, in its transaction."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from runtime import postgres
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain.endpoints import MAX_SUBSCRIBERS
from services.router.endpoints.writing import Counts, Pool, TenantWrite, TenantWrites

# Of one endpoint, and of one tenant.
MAX_OF_ENDPOINT, MAX_OF_TENANT = 1_000, 100_000
# Bytes of the filters of one type, and of one tenant. A list of subscribers is one message of the broker, and every
# router and ingest process holds all of them in memory.
MAX_FILTERS_OF_TYPE, MAX_FILTERS_OF_TENANT = 1024 * 1024, 8 * 1024 * 1024

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))


class SubscriptionStore:
    """Reads and writes router.subscriptions. Methods raise UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: Pool, writes: TenantWrites) -> None:
        self._pool = pool
        self._writes = writes

    async def subscribe(
        self, tenant_id: str, endpoint_id: str, event_type_ids: Sequence[str], rule: str | None
    ) -> tuple[int, int]:
        """Subscribe an endpoint to types; return the number of new subscriptions, and the revision.

        rule: their filter; empty: all events, None: new ones have none, and others keep theirs. Raises NOT_FOUND, and
        CONFLICT if there were more than may be.
        """
        async with self._writes.begin(tenant_id) as write:
            await self._check_endpoint(write.connection, tenant_id, endpoint_id)
            types = await write.connection.fetch(_SQL.event_types, tenant_id, event_type_ids)
            if len(types) < len(event_type_ids):
                raise ClarionError(Code.NOT_FOUND, "There is no such event type.")
            rows = await write.connection.fetch(_SQL.existing, tenant_id, endpoint_id, event_type_ids)
            existing = {row["event_type_id"]: row["bytes"] for row in rows}
            new = [row["id"] for row in types if row["id"] not in existing]
            await write.connection.execute(
                _SQL.insert, tenant_id, endpoint_id, new, [new_id() for _ in new], rule or ""
            )
            size = len((rule or "").encode())
            change: dict[Any, tuple[int, int]] = dict.fromkeys(new, (1, size))
            if rule is not None and existing:
                await write.connection.execute(_SQL.set_filter, tenant_id, endpoint_id, list(existing), rule)
                change |= {one: (0, size - before) for one, before in existing.items()}
            await _count(write, change)
            if await write.connection.fetchval(_SQL.count_of_endpoint, tenant_id, endpoint_id) > MAX_OF_ENDPOINT:
                raise ClarionError(Code.CONFLICT, f"An endpoint has at most {MAX_OF_ENDPOINT:,} subscriptions.")
            write.changes(event_types=[row["name"] for row in types])
        return len(new), write.revision

    async def unsubscribe(self, tenant_id: str, endpoint_id: str, event_type_id: str) -> int:
        """Delete a subscription; return the revision. Raises NOT_FOUND."""
        async with self._writes.begin(tenant_id) as write:
            row = await write.connection.fetchrow(_SQL.delete, tenant_id, endpoint_id, event_type_id)
            if row is None:
                raise ClarionError(Code.NOT_FOUND, "There is no such subscription.")
            await _count(write, {event_type_id: (-1, -row["bytes"])})
            types = await write.connection.fetch(_SQL.event_types, tenant_id, [event_type_id])
            write.changes(event_types=[one["name"] for one in types])
        return write.revision

    async def list(self, tenant_id: str, endpoint_id: str) -> "list[asyncpg.Record]":
        """Return an endpoint's subscriptions, in the order of their creation. Raises NOT_FOUND."""
        with postgres.unavailable_while_down():
            await self._check_endpoint(self._pool, tenant_id, endpoint_id)
            return await self._pool.fetch(_SQL.list, tenant_id, endpoint_id, MAX_OF_ENDPOINT)

    @staticmethod
    async def _check_endpoint(reader: Any, tenant_id: str, endpoint_id: str) -> None:
        if await reader.fetchval(_SQL.endpoint_exists, tenant_id, endpoint_id) is None:
            raise ClarionError(Code.NOT_FOUND, "There is no such endpoint.")


async def _count(write: TenantWrite, change: dict[Any, tuple[int, int]]) -> None:
    """Count subscriptions and bytes of filters, by type. Raises CONFLICT if there are more than may be."""
    subscriptions, filter_bytes = (sum(column) for column in zip((0, 0), *change.values(), strict=True))
    columns = list(change), [one for one, _ in change.values()], [size for _, size in change.values()]
    (fullest,) = await write.connection.fetch(_SQL.count, write.tenant_id, *columns)
    total = await write.count(Counts(subscriptions=subscriptions, filter_bytes=filter_bytes))
    if subscriptions > 0 and fullest["subscribers"] > MAX_SUBSCRIBERS:
        raise ClarionError(Code.CONFLICT, f"An event type has at most {MAX_SUBSCRIBERS:,} subscribers.")
    if subscriptions > 0 and total.subscriptions > MAX_OF_TENANT:
        raise ClarionError(Code.CONFLICT, f"A tenant has at most {MAX_OF_TENANT:,} subscriptions.")
    if filter_bytes > 0 and fullest["filter_bytes"] > MAX_FILTERS_OF_TYPE:
        text = f"The filters of an event type's subscriptions may have {MAX_FILTERS_OF_TYPE // 1024:,} KiB together."
        raise ClarionError(Code.CONFLICT, text)
    if filter_bytes > 0 and total.filter_bytes > MAX_FILTERS_OF_TENANT:
        text = f"The filters of a tenant's subscriptions may have {MAX_FILTERS_OF_TENANT // 1024:,} KiB together."
        raise ClarionError(Code.CONFLICT, text)
