"""The table of layouts and partials. It is not published: a template version's source contains its parts."""

from collections.abc import Collection
from pathlib import Path

import asyncpg

from runtime import clock, postgres
from runtime.errors import ClarionError, Code
from services.render.parts import NewerPartError, NewPart, PartUser, PartVersion

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))


class PostgresParts:
    """See parts.PartStore."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def create(self, part_id: str, new: NewPart, *, based_on: str = "") -> PartVersion:
        """Store a new version. Raises NewerPartError, INVALID: see parts.PartStore."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                await connection.execute(_SQL.lock_part, new.tenant_id, f"{new.kind}/{new.name}")
                if based_on:
                    newest = await connection.fetchrow(_SQL.newest_part, new.tenant_id, new.kind, new.name)
                    _check_newest(newest, await connection.fetchrow(_SQL.get_part, based_on))
                row = await connection.fetchrow(_SQL.insert_part, part_id, new.tenant_id, new.kind, new.name, new.body)
        return _version(row)

    async def get(self, part_id: str) -> PartVersion:
        """Return a version. Raises NOT_FOUND."""
        with postgres.unavailable_while_down():
            return _version(await self._pool.fetchrow(_SQL.get_part, part_id))

    async def page(
        self, *, tenant_ids: Collection[str], kind: int, name: str, newest_only: bool, limit: int, cursor: str
    ) -> list[PartVersion]:
        """Return versions, newest first, that are older than the one whose id is cursor. Empty and 0: any."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.list_parts, list(tenant_ids), kind, name, newest_only, cursor, limit)
        return [_version(row) for row in rows]

    async def newest(self, tenant_id: str, kind: int, names: Collection[str]) -> list[PartVersion]:
        """Return the newest version of each name: the tenant's, or the platform's if the tenant has none."""
        if not names:
            return []
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.newest_parts, tenant_id, kind, list(names))
        return [_version(row) for row in rows]

    async def users(self, part: PartVersion, after: str, limit: int) -> list[str]:
        """Return the ids of active template versions that use an older version of this part. Sorted, all > after."""
        new = part.part
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.users_of_part, new.tenant_id, new.kind, new.name, after, limit)
        return [row["id"] for row in rows]

    async def all_users(self, part: PartVersion, after: str, limit: int) -> list[PartUser]:
        """Return the active template versions that use any version of this part, or the platform's in its place."""
        new = part.part
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.list_users, new.tenant_id, new.kind, new.name, after, limit)
        return [PartUser(*row.values()) for row in rows]


def _check_newest(newest: asyncpg.Record | None, base: asyncpg.Record | None) -> None:
    if newest is None or base is None or any(base[key] != newest[key] for key in ("tenant_id", "kind", "name")):
        text = "must be a version of the same layout or partial"
        raise ClarionError(Code.INVALID, f"based_on {text}.", fields=[("based_on", text)])
    if newest["version"] > base["version"]:
        raise NewerPartError(_version(newest))


def _version(row: asyncpg.Record | None) -> PartVersion:
    if row is None:
        raise ClarionError(Code.NOT_FOUND, "Layout or partial not found.")
    part = NewPart(row["tenant_id"], row["kind"], row["name"], row["body"])
    return PartVersion(row["id"], row["version"], part, clock.micros_of(row["created_at"]))
