"""Event types in PostgreSQL, and which of them an environment shows."""

from pathlib import Path

import asyncpg

from runtime import postgres
from runtime.errors import ClarionError, Code
from services.domain.endpoints import event_type_id
from services.router.endpoints.writing import Counts, Pool, TenantWrites

# Of one tenant.
MAX_EVENT_TYPES = 10_000

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))


class EventTypeStore:
    """Reads and writes router.event_types. Methods raise UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: Pool, writes: TenantWrites) -> None:
        self._pool = pool
        self._writes = writes

    async def create(self, tenant_id: str, name: str, description: str) -> tuple[asyncpg.Record, int]:
        """Return the new type and the revision. Raises CONFLICT: it exists, or the tenant has as many as it may."""
        async with self._writes.begin(tenant_id) as write:
            id_ = event_type_id(tenant_id, name)
            row = await write.connection.fetchrow(_SQL.insert, tenant_id, id_, name, description)
            if row is None:
                raise ClarionError(Code.CONFLICT, "The event type exists already.")
            if (await write.count(Counts(event_types=1))).event_types > MAX_EVENT_TYPES:
                raise ClarionError(Code.CONFLICT, f"A tenant has at most {MAX_EVENT_TYPES:,} event types.")
            write.changes(workflows=[name])
        return row, write.revision

    async def get(self, tenant_id: str, id_: str) -> asyncpg.Record:
        """Return a type. Raises NOT_FOUND."""
        with postgres.unavailable_while_down():
            return _found(await self._pool.fetchrow(_SQL.get, tenant_id, id_))

    async def page(self, tenant_id: str, after: str, limit: int) -> "list[asyncpg.Record]":
        """Return up to limit types, in the order of their names, after this name (empty: from the first)."""
        with postgres.unavailable_while_down():
            return await self._pool.fetch(_SQL.page, tenant_id, after, limit)

    async def update(self, tenant_id: str, id_: str, description: str | None) -> asyncpg.Record:
        """Change a type; None leaves its description. Raises NOT_FOUND."""
        with postgres.unavailable_while_down():
            return _found(await self._pool.fetchrow(_SQL.update, tenant_id, id_, description))

    async def delete(self, tenant_id: str, id_: str) -> int:
        """Delete a type and the subscriptions to it; return the revision. Raises NOT_FOUND."""
        async with self._writes.begin(tenant_id) as write:
            (ended,) = await write.connection.fetch(_SQL.delete_subscriptions, tenant_id, id_)
            name = await write.connection.fetchval(_SQL.delete, tenant_id, id_)
            if name is None:
                raise _no_event_type()
            await write.count(
                Counts(
                    event_types=-1,
                    subscriptions=-ended["subscriptions"],
                    filter_bytes=-ended["filter_bytes"],
                )
            )
            write.changes(event_types=[name], workflows=[name])
        return write.revision

    async def visibility(self, tenant_id: str, environment_id: str) -> "list[asyncpg.Record]":
        """Return all types, with whether an environment shows them."""
        with postgres.unavailable_while_down():
            return await self._pool.fetch(_SQL.visibility, tenant_id, environment_id, MAX_EVENT_TYPES)

    async def set_visibility(self, tenant_id: str, environment_id: str, id_: str, *, published: bool) -> str:
        """Show or hide a type; return its name. Raises NOT_FOUND for the type or the environment."""
        try:
            with postgres.unavailable_while_down():
                name: str = (await self.get(tenant_id, id_))["name"]
                await self._pool.execute(_SQL.show if published else _SQL.hide, tenant_id, environment_id, id_)
        except asyncpg.ForeignKeyViolationError:
            raise ClarionError(Code.NOT_FOUND, "There is no such environment or event type.") from None
        return name


def _found(row: asyncpg.Record | None) -> asyncpg.Record:
    if row is None:
        raise _no_event_type()
    return row


def _no_event_type() -> ClarionError:
    return ClarionError(Code.NOT_FOUND, "There is no such event type.")
