"""Templates in PostgreSQL; what is active goes out to the configuration bucket with its row."""

import uuid
from collections.abc import Collection
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from clarion.common.v1 import event_pb2
from clarion.render.v1 import templates_pb2
from runtime import postgres
from runtime.configuration import Outbox
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services import topology
from services.render.frames import Source

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))
# The platform's own tenant id in the tables; "" on the wire.
_PLATFORM = uuid.UUID(int=0)


class TemplateStore:
    """Reads and writes; a change of what is active answers after it has gone out, or within two seconds."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: Outbox) -> None:
        self._pool = pool
        self._outbox = outbox

    async def create(
        self, request: templates_pb2.CreateTemplateRequest, *, activate: bool = False, first_only: bool = False
    ) -> templates_pb2.TemplateVersion | None:
        """Add a version. first_only: unless there is one already (None is returned)."""
        tenant = _tenant_uuid(request.tenant_id)
        async with self._pool.acquire() as connection, connection.transaction():
            await self._lock(connection, tenant, request.event_type)
            row = await connection.fetchrow(
                _QUERIES.insert_template,
                new_id(),
                tenant,
                request.event_type,
                request.channel,
                request.subject,
                request.body,
                request.push_namespace,
            )
            if row is None:
                raise RuntimeError("an insert returned nothing")
            if first_only and row["version"] != 1:
                raise _ExistsError
            source = Source(row["channel"], row["subject"], row["body"])
            await self._outbox.add(connection, topology.version_key(str(row["id"])), msgspec.msgpack.encode(source))
            if activate:
                await connection.execute(_QUERIES.set_active, row["id"], True)
                await self._publish_active(connection, tenant, request.event_type)
                row = await connection.fetchrow(_QUERIES.template, row["id"])
        await self._outbox.flush()
        return _version(row)

    async def create_first(self, request: templates_pb2.CreateTemplateRequest) -> bool:
        """Add and activate a version unless there is one already; tell whether it was added."""
        try:
            await self.create(request, activate=True, first_only=True)
        except _ExistsError:
            return False
        return True

    async def set_active(self, version_id: str, *, active: bool) -> templates_pb2.TemplateVersion:
        """Make a version the active one of its kind, or no longer. Raises NOT_FOUND."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(_QUERIES.template, version_id)
            if row is None:
                raise _not_found()
            await self._lock(connection, row["tenant_id"], row["event_type"])
            if active:
                await connection.execute(
                    _QUERIES.deactivate_others, row["tenant_id"], row["event_type"], row["channel"]
                )
            await connection.execute(_QUERIES.set_active, row["id"], active)
            await self._publish_active(connection, row["tenant_id"], row["event_type"])
            row = await connection.fetchrow(_QUERIES.template, version_id)
        await self._outbox.flush()
        return _version(row)

    async def get(self, version_id: str) -> templates_pb2.TemplateVersion:
        """Raises NOT_FOUND."""
        return _version(await self._pool.fetchrow(_QUERIES.template, version_id))

    async def page(
        self, request: templates_pb2.ListTemplatesRequest, limit: int
    ) -> list[templates_pb2.TemplateVersion]:
        """Return up to limit versions, newest first."""
        rows = await self._pool.fetch(
            _QUERIES.templates,
            request.tenant_id or None,
            request.event_type or None,
            request.active_only,
            request.cursor or None,
            limit,
        )
        return [_version(row) for row in rows]

    async def active(self, tenant_id: str, event_type: str) -> "list[asyncpg.Record]":
        """Return the active versions of a tenant's (or, "", the platform's) event type."""
        return await self._pool.fetch(_QUERIES.active_templates, _tenant_uuid(tenant_id), event_type)

    async def sources(self, version_ids: Collection[str]) -> dict[str, Source]:
        """Return the versions that exist, as they were written."""
        rows = await self._pool.fetch(_QUERIES.sources, list(version_ids))
        return {str(row["id"]): Source(row["channel"], row["subject"], row["body"]) for row in rows}

    async def _lock(self, connection: Any, tenant: uuid.UUID, event_type: str) -> None:
        """One change at a time of what belongs together."""
        await connection.execute(_QUERIES.lock, f"{tenant}/{event_type}")

    async def _publish_active(self, connection: Any, tenant: uuid.UUID, event_type: str) -> None:
        rows = await connection.fetch(_QUERIES.active_templates, tenant, event_type)
        value = [
            {
                "channel": event_pb2.Channel.Name(row["channel"]).removeprefix("CHANNEL_"),
                "template_version_id": str(row["id"]),
                "push_namespace": row["push_namespace"],
            }
            for row in rows
        ]
        key = topology.templates_key("" if tenant == _PLATFORM else str(tenant), event_type)
        await self._outbox.add(connection, key, msgspec.json.encode(value) if value else None)


class _ExistsError(Exception):
    """There is a version already; the transaction is undone."""


def _tenant_uuid(tenant_id: str) -> uuid.UUID:
    return uuid.UUID(tenant_id) if tenant_id else _PLATFORM


def _not_found() -> ClarionError:
    return ClarionError(Code.NOT_FOUND, "There is no such template version.")


def _version(row: "asyncpg.Record | None") -> templates_pb2.TemplateVersion:
    if row is None:
        raise _not_found()
    return templates_pb2.TemplateVersion(
        id=str(row["id"]),
        version=row["version"],
        tenant_id="" if row["tenant_id"] == _PLATFORM else str(row["tenant_id"]),
        event_type=row["event_type"],
        channel=row["channel"],
        subject=row["subject"],
        body=row["body"],
        push_namespace=row["push_namespace"],
        active=row["active"],
        created_at_us=int(row["created_at"].timestamp() * 1_000_000),
    )
