"""Environments in PostgreSQL. Each tenant has a default one, which is stored when it is first asked for."""

from pathlib import Path
from typing import Protocol

import asyncpg

from runtime import postgres
from runtime.errors import ClarionError, Code
from runtime.ids import derived_id, new_id
from services.router.endpoints.writing import Pool, TenantWrites

# Of one tenant.
MAX_ENVIRONMENTS = 10

_DEFAULT_NAME, _DEFAULT_SLUG = "Default", "default"
_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))


class DefaultEnvironments(Protocol):
    """Knows each tenant's default environment."""

    async def default_id(self, tenant_id: str) -> str:
        """Return its id, and store it if it is not stored yet."""


class EnvironmentStore:
    """Reads and writes router.environments. Methods raise UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: Pool, writes: TenantWrites) -> None:
        self._pool = pool
        self._writes = writes

    async def default_id(self, tenant_id: str) -> str:
        """See DefaultEnvironments. The id is made of the tenant's, so that two calls at a time store the same."""
        id_ = derived_id("environment", tenant_id)
        with postgres.unavailable_while_down():
            if await self._pool.fetchrow(_SQL.get, tenant_id, id_) is None:
                await self._pool.execute(_SQL.insert_default, tenant_id, id_, _DEFAULT_NAME, _DEFAULT_SLUG)
        return id_

    async def create(self, tenant_id: str, name: str, slug: str) -> asyncpg.Record:
        """Return the new environment. Raises CONFLICT if the slug is taken, or the tenant has as many as it may."""
        await self.default_id(tenant_id)  # its slug is taken from the start
        async with self._writes.begin(tenant_id) as write:
            row = await write.connection.fetchrow(_SQL.insert, tenant_id, new_id(), name, slug)
            if row is None:
                raise ClarionError(
                    Code.CONFLICT, "Another environment has this slug.", fields=[("slug", "must be unique")]
                )
            if len(await write.connection.fetch(_SQL.list, tenant_id, MAX_ENVIRONMENTS + 1)) > MAX_ENVIRONMENTS:
                raise ClarionError(Code.CONFLICT, f"A tenant has at most {MAX_ENVIRONMENTS} environments.")
        return row

    async def get(self, tenant_id: str, id_: str) -> asyncpg.Record:
        """Return an environment; id_: empty: the default one. Raises NOT_FOUND."""
        default_id = await self.default_id(tenant_id)
        with postgres.unavailable_while_down():
            return _found(await self._pool.fetchrow(_SQL.get, tenant_id, id_ or default_id))

    async def list(self, tenant_id: str) -> "list[asyncpg.Record]":
        """Return all environments, the default one first."""
        await self.default_id(tenant_id)
        with postgres.unavailable_while_down():
            return await self._pool.fetch(_SQL.list, tenant_id, MAX_ENVIRONMENTS)

    async def rename(self, tenant_id: str, id_: str, name: str | None) -> asyncpg.Record:
        """Change the name; None leaves it. Raises NOT_FOUND."""
        await self.default_id(tenant_id)
        with postgres.unavailable_while_down():
            return _found(await self._pool.fetchrow(_SQL.rename, tenant_id, id_, name))

    async def delete(self, tenant_id: str, id_: str) -> None:
        """Delete an environment. Raises NOT_FOUND, and CONFLICT for the default one and one that is used."""
        async with self._writes.begin(tenant_id) as write:
            if _found(await write.connection.fetchrow(_SQL.get, tenant_id, id_))["is_default"]:
                raise ClarionError(Code.CONFLICT, "The default environment cannot be deleted.")
            if await write.connection.fetchval(_SQL.has_endpoints, tenant_id, id_):
                raise ClarionError(Code.CONFLICT, "The environment has endpoints: delete them first.")
            if await write.connection.fetchval(_SQL.has_workflows, tenant_id, id_):
                raise ClarionError(Code.CONFLICT, "The environment has workflows: delete them first.")
            await write.connection.execute(_SQL.delete, tenant_id, id_)


def _found(row: asyncpg.Record | None) -> asyncpg.Record:
    if row is None:
        raise ClarionError(Code.NOT_FOUND, "There is no such environment.")
    return row
