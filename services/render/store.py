"""The templates' table. Each change is published in its own transaction: the list of the active, the bodies."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypeAlias

import asyncpg
import msgspec

from clarion.common.v1 import event_pb2
from runtime import clock, configuration, postgres
from runtime.errors import ClarionError, Code
from services import topology
from services.render.frames import Source
from services.render.templates import ActiveTemplate, NewTemplate, TemplateVersion

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))

_Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"


class TemplateStore:
    """Reads and writes render.templates. Every method raises UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: configuration.Outbox) -> None:
        self._pool = pool
        self._outbox = outbox

    async def create(self, version_id: str, new: NewTemplate) -> TemplateVersion:
        """Store an inactive version and publish it."""
        with postgres.answering():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                await connection.execute(_SQL.lock_event_type, new.tenant_id, new.event_type)
                row = await self._insert(connection, version_id, new)
        await self._outbox.flush()
        return _version(row)

    async def create_first(self, version_id: str, new: NewTemplate) -> bool:
        """Store, activate and publish a version where there is none yet of its kind; tell whether it was so."""
        with postgres.answering():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                await connection.execute(_SQL.lock_event_type, new.tenant_id, new.event_type)
                if await connection.fetchval(_SQL.has_template, new.tenant_id, new.event_type, new.channel):
                    return False
                await self._insert(connection, version_id, new)
                await self._activate(connection, version_id, active=True)
        await self._outbox.flush()
        return True

    async def set_active(self, version_id: str, *, active: bool) -> TemplateVersion:
        """Make it the only active version of its kind, or no longer active; publish. Raises NOT_FOUND."""
        with postgres.answering():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                row = await self._activate(connection, version_id, active=active)
        await self._outbox.flush()
        return _version(row)

    async def get(self, version_id: str) -> TemplateVersion:
        """Return a version. Raises NOT_FOUND."""
        with postgres.answering():
            return _version(await self._pool.fetchrow(_SQL.get_template, version_id))

    async def page(
        self, *, tenant_id: str, event_type: str, active_only: bool, limit: int, cursor: str
    ) -> list[TemplateVersion]:
        """Return versions, newest first, that are older than the one whose id is cursor."""
        with postgres.answering():
            rows = await self._pool.fetch(_SQL.list_templates, tenant_id, event_type, active_only, cursor, limit)
        return [_version(row) for row in rows]

    async def active(self, tenant_ids: Collection[str], event_type: str) -> list[tuple[str, ActiveTemplate]]:
        """Return the active versions of an event type, each with its tenant."""
        with postgres.answering():
            rows = await self._pool.fetch(_SQL.list_active, list(tenant_ids), event_type)
        return [(row["tenant_id"], ActiveTemplate(row["channel"], row["id"], row["push_namespace"])) for row in rows]

    async def sources(self, version_ids: Collection[str]) -> Mapping[str, Source]:
        """Return those of the versions that exist."""
        with postgres.answering():
            rows = await self._pool.fetch(_SQL.find_sources, list(version_ids))
        return {row["id"]: Source(row["channel"], row["subject"], row["body"]) for row in rows}

    async def _insert(self, connection: _Connection, version_id: str, new: NewTemplate) -> asyncpg.Record | None:
        row = await connection.fetchrow(
            _SQL.insert_template,
            version_id,
            new.tenant_id,
            new.event_type,
            new.channel,
            new.subject,
            new.body,
            new.push_namespace,
        )
        source = Source(new.channel, new.subject, new.body)
        await self._outbox.add(connection, topology.version_key(version_id), msgspec.json.encode(source))
        return row

    async def _activate(self, connection: _Connection, version_id: str, *, active: bool) -> asyncpg.Record | None:
        row = await connection.fetchrow(_SQL.get_template, version_id)
        if row is None:
            raise _unknown()
        tenant_id, event_type = row["tenant_id"], row["event_type"]
        await connection.execute(_SQL.lock_event_type, tenant_id, event_type)
        if active:
            await connection.execute(_SQL.deactivate_others, tenant_id, event_type, row["channel"], version_id)
        row = await connection.fetchrow(_SQL.set_active, version_id, active)
        listed = await connection.fetch(_SQL.list_active, [tenant_id], event_type)
        value = msgspec.json.encode([_published(one) for one in listed])
        await self._outbox.add(connection, topology.templates_key(tenant_id, event_type), value)
        return row


def _published(row: asyncpg.Record) -> dict[str, str]:
    channel = topology.CHANNELS[event_pb2.Channel.ValueType(row["channel"])].upper()
    return {"channel": channel, "template_version_id": row["id"], "push_namespace": row["push_namespace"]}


def _version(row: asyncpg.Record | None) -> TemplateVersion:
    if row is None:
        raise _unknown()
    template = NewTemplate(
        row["tenant_id"], row["event_type"], row["channel"], row["subject"], row["body"], row["push_namespace"]
    )
    created_at_us = clock.micros_of(row["created_at"])
    return TemplateVersion(row["id"], row["version"], template, active=row["active"], created_at_us=created_at_us)


def _unknown() -> ClarionError:
    return ClarionError(Code.NOT_FOUND, "There is no such template version.")
