"""The table of samples."""

from pathlib import Path

import asyncpg

from runtime import clock, postgres
from services.render.samples.samples import NewSample, StoredSample, check_room, name_taken, not_found

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))


class PostgresSamples:
    """See samples.SampleStore."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def create(self, sample_id: str, new: NewSample) -> StoredSample:
        """Store a sample. Raises CONFLICT."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                await connection.execute(_SQL.lock_tenant, new.tenant_id)
                (count,) = await connection.fetch(_SQL.count_samples, new.tenant_id, new.event_type)
                check_room(count["of_event_type"], count["of_tenant"])
                try:
                    row = await connection.fetchrow(
                        _SQL.insert_sample, sample_id, new.tenant_id, new.event_type, new.name, new.variables.decode()
                    )
                except asyncpg.UniqueViolationError:
                    raise name_taken(new.name) from None
        return _stored(row)

    async def update(self, sample_id: str, tenant_id: str, name: str, variables: bytes) -> StoredSample:
        """Replace name and variables. Raises NOT_FOUND, CONFLICT."""
        with postgres.unavailable_while_down():
            try:
                row = await self._pool.fetchrow(_SQL.update_sample, sample_id, tenant_id, name, variables.decode())
            except asyncpg.UniqueViolationError:
                raise name_taken(name) from None
        return _stored(row)

    async def get(self, sample_id: str, tenant_id: str) -> StoredSample:
        """Return a sample of this tenant. Raises NOT_FOUND."""
        with postgres.unavailable_while_down():
            return _stored(await self._pool.fetchrow(_SQL.get_sample, sample_id, tenant_id))

    async def delete(self, sample_id: str, tenant_id: str) -> None:
        """Delete a sample of this tenant. Raises NOT_FOUND."""
        with postgres.unavailable_while_down():
            if await self._pool.fetchval(_SQL.delete_sample, sample_id, tenant_id) is None:
                raise not_found()

    async def page(self, tenant_id: str, event_type: str, *, limit: int, cursor: str) -> list[StoredSample]:
        """Return a tenant's samples by (event type, name), after the one whose id is cursor."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.list_samples, tenant_id, event_type, cursor, limit)
        return [_stored(row) for row in rows]


def _stored(row: asyncpg.Record | None) -> StoredSample:
    if row is None:
        raise not_found()
    sample = NewSample(row["tenant_id"], row["event_type"], row["name"], row["variables"].encode())
    return StoredSample(row["id"], sample, clock.micros_of(row["created_at"]), clock.micros_of(row["updated_at"]))
