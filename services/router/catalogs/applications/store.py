"""Applications in PostgreSQL. Deleting one deletes its endpoints, which is published in the same transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import msgspec

from runtime import postgres
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.router.endpoints.writing import Counts, Pool, TenantWrites

# Of one tenant.
MAX_APPLICATIONS = 10_000

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Limit:
    """A new value of max_endpoints; None: no limit."""

    value: int | None


@dataclass(frozen=True, slots=True)
class ApplicationChange:
    """New values; None leaves a field as it is."""

    name: str | None = None
    metadata: Mapping[str, str] | None = None
    max_endpoints: Limit | None = None
    show_event_types: bool | None = None


@dataclass(frozen=True, slots=True)
class NewApplication:
    """An application to store. external_id: empty: none. max_endpoints: None: no limit."""

    external_id: str
    name: str
    metadata: Mapping[str, str]
    max_endpoints: int | None
    show_event_types: bool


class ApplicationStore:
    """Reads and writes router.applications. Methods raise UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: Pool, writes: TenantWrites) -> None:
        self._pool = pool
        self._writes = writes

    async def create(self, tenant_id: str, new: NewApplication) -> asyncpg.Record:
        """Return the new application. Raises CONFLICT if its external id is taken, or the tenant has too many."""
        async with self._writes.begin(tenant_id) as write:
            row = await write.connection.fetchrow(
                _SQL.insert,
                tenant_id,
                new_id(),
                new.external_id,
                new.name,
                _encode(new.metadata).decode(),
                new.max_endpoints,
                new.show_event_types,
            )
            if row is None:
                fault = ("external_id", "must be unique")
                raise ClarionError(Code.CONFLICT, "Another application has this external id.", fields=[fault])
            if (await write.count(Counts(applications=1))).applications > MAX_APPLICATIONS:
                raise ClarionError(Code.CONFLICT, f"A tenant has at most {MAX_APPLICATIONS:,} applications.")
        return row

    async def get(self, tenant_id: str, id_: str) -> asyncpg.Record:
        """Return an application. Raises NOT_FOUND."""
        with postgres.unavailable_while_down():
            return _found(await self._pool.fetchrow(_SQL.get, tenant_id, id_))

    async def page(self, tenant_id: str, limit: int, offset: int) -> "list[asyncpg.Record]":
        """Return up to limit applications, in the order of their creation."""
        with postgres.unavailable_while_down():
            return await self._pool.fetch(_SQL.page, tenant_id, limit, offset)

    async def update(self, tenant_id: str, id_: str, change: ApplicationChange) -> asyncpg.Record:
        """Change an application. Raises NOT_FOUND."""
        limit = change.max_endpoints
        with postgres.unavailable_while_down():
            row = await self._pool.fetchrow(
                _SQL.update,
                tenant_id,
                id_,
                change.name,
                None if change.metadata is None else _encode(change.metadata).decode(),
                limit is not None,
                limit.value if limit is not None else None,
                change.show_event_types,
            )
        return _found(row)

    async def delete(self, tenant_id: str, id_: str) -> int:
        """Delete an application with its endpoints; return the revision. Raises NOT_FOUND."""
        async with self._writes.begin(tenant_id) as write:
            rows = await write.connection.fetch(_SQL.endpoint_ids, tenant_id, id_)
            if rows:
                await write.delete_endpoints([row["id"] for row in rows])
            _found(await write.connection.fetchrow(_SQL.delete, tenant_id, id_))
            await write.count(Counts(applications=-1))
        return write.revision


def _found(row: asyncpg.Record | None) -> asyncpg.Record:
    if row is None:
        raise ClarionError(Code.NOT_FOUND, "There is no such application.")
    return row
