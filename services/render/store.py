"""The table of templates. What a change publishes (active templates, sources) is written in the same transaction."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import asyncpg
import msgspec

from clarion.common.v1 import event_pb2
from clarion.common.v1.search_pb2 import SearchHit
from runtime import clock, configuration, postgres
from runtime.errors import ClarionError, Code
from services.domain import channels, topology
from services.domain.searching import hit, id_range
from services.render import frames
from services.render.frames import TemplateSource
from services.render.parts import LAYOUT, PARTIAL
from services.render.templates import (
    ActiveTemplate,
    NewerVersionError,
    NewTemplate,
    PinnedPart,
    TemplateLanguage,
    TemplateVersion,
    is_sent,
)

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))

_Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
_Reader: TypeAlias = "asyncpg.Pool[asyncpg.Record] | _Connection"


class PostgresTemplates:
    """Reads and writes render.templates. Every method raises UNAVAILABLE while PostgreSQL is not reachable."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: configuration.ConfigurationOutbox) -> None:
        self._pool = pool
        self._outbox = outbox

    async def create(
        self, version_id: str, new: NewTemplate, source: TemplateSource, part_ids: list[str], *, based_on: str = ""
    ) -> TemplateVersion:
        """Store an inactive version and publish it. Raises NewerVersionError, INVALID: see templates.TemplateStore."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                await connection.execute(_SQL.lock_event_type, new.tenant_id, new.event_type)
                if based_on:
                    await _check_newest(connection, new, based_on)
                created = await self._insert(connection, version_id, new, source, part_ids)
        await self._outbox.flush()
        return created

    async def create_first(self, version_id: str, new: NewTemplate) -> bool:
        """Store, activate and publish a version if its kind has none yet; return whether it was stored."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                await connection.execute(_SQL.lock_event_type, new.tenant_id, new.event_type)
                if await connection.fetchval(_SQL.has_template, new.tenant_id, new.event_type, new.channel):
                    return False
                await self._insert(connection, version_id, new, TemplateSource(new.channel, new.subject, new.body), [])
                await self._activate(connection, version_id, active=True)
        await self._outbox.flush()
        return True

    async def set_active(self, version_id: str, *, active: bool) -> TemplateVersion:
        """Activate a version in place of the active one of its kind, or deactivate it. Raises NOT_FOUND."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                changed = await self._activate(connection, version_id, active=active)
        await self._outbox.flush()
        return changed

    async def supersede(self, old_id: str, new_id: str) -> TemplateVersion:
        """Activate the new version in place of the old one if the old one is still active; return the new one."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                template = (await _one(connection, new_id)).template
                await connection.execute(_SQL.lock_event_type, template.tenant_id, template.event_type)
                # A third version may have been activated meanwhile.
                new = await _one(connection, new_id)
                if (await _one(connection, old_id)).active:
                    new = await self._activate(connection, new_id, active=True)
        await self._outbox.flush()
        return new

    async def get(self, version_id: str) -> TemplateVersion:
        """Return a version. Raises NOT_FOUND."""
        with postgres.unavailable_while_down():
            return await _one(self._pool, version_id)

    async def search(self, query: str, tenant_ids: Sequence[str], limit: int) -> list[SearchHit]:
        """Return up to limit versions with such an id; no tenants: of all. Raises UNAVAILABLE."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(
                _SQL.search_templates, query, *id_range(query), list(tenant_ids) or None, limit
            )
        return [hit(row) for row in rows]

    async def page(
        self,
        *,
        tenant_ids: Collection[str],
        event_type: str,
        channel: int,
        locale: str | None,
        active_only: bool,
        limit: int,
        cursor: str,
    ) -> list[TemplateVersion]:
        """Return versions, newest first, that are older than the one whose id is cursor. Empty, 0 and None: any."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(
                _SQL.list_templates, list(tenant_ids), event_type, active_only, cursor, channel, locale, limit
            )
            return await _versions(self._pool, rows)

    async def languages(
        self, *, tenant_ids: Collection[str], search: str, channel: int, active_only: bool, limit: int, cursor: str
    ) -> list[TemplateLanguage]:
        """Return languages by (tenant, event type, channel, locale), after the one that the version cursor is of."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(
                _SQL.list_languages, list(tenant_ids), search, channel, active_only, cursor, limit
            )
        return [_language(row) for row in rows]

    async def active(self, tenant_ids: Collection[str], event_type: str) -> list[tuple[str, ActiveTemplate]]:
        """Return the active versions of an event type, each with its tenant."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.list_active, list(tenant_ids), event_type)
        return [(row["tenant_id"], _active(row)) for row in rows]

    async def version(self, tenant_id: str, event_type: str, channel: int, version: int) -> list[ActiveTemplate]:
        """Return the version with this number, active or not; an empty list: there is none."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.find_version, tenant_id, event_type, channel, version)
        return [_active(row) for row in rows]

    async def sources(self, version_ids: Collection[str]) -> Mapping[str, TemplateSource]:
        """Return the sources of those versions that exist."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.find_sources, list(version_ids))
            ids = {part_id for row in rows for part_id in row["part_ids"]}
            parts = await self._pool.fetch(_SQL.find_parts, list(ids)) if ids else []
        return sources(rows, parts)

    async def default_locale(self, tenant_id: str) -> str:
        """Return a tenant's default locale; empty: none."""
        with postgres.unavailable_while_down():
            return await self._pool.fetchval(_SQL.get_locale, tenant_id) or ""

    async def set_default_locale(self, tenant_id: str, locale: str) -> None:
        """Store and publish a tenant's default locale."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                await connection.execute(_SQL.set_locale, tenant_id, locale)
                await self._outbox.add(connection, topology.locale_key(tenant_id), locale.encode())
        await self._outbox.flush()

    async def _insert(
        self, connection: _Connection, version_id: str, new: NewTemplate, source: TemplateSource, part_ids: list[str]
    ) -> TemplateVersion:
        await connection.execute(
            _SQL.insert_template,
            version_id,
            new.tenant_id,
            new.event_type,
            new.channel,
            new.subject,
            new.body,
            new.push_namespace,
            new.locale,
            new.preheader,
            new.layout,
            part_ids,
            new.subscribed,
        )
        await self._outbox.add(connection, topology.version_key(version_id), frames.published(source))
        return await _one(connection, version_id)

    async def _activate(self, connection: _Connection, version_id: str, *, active: bool) -> TemplateVersion:
        template = (await _one(connection, version_id)).template
        tenant_id, event_type = template.tenant_id, template.event_type
        await connection.execute(_SQL.lock_event_type, tenant_id, event_type)
        if active:
            kind = (tenant_id, event_type, template.channel, template.locale)
            await connection.execute(_SQL.deactivate_others, *kind, version_id)
        await connection.execute(_SQL.set_active, version_id, active)
        listed = await connection.fetch(_SQL.list_active, [tenant_id], event_type)
        value = published(listed) if listed and is_sent(tenant_id, event_type) else None
        await self._outbox.add(connection, topology.templates_key(tenant_id, event_type), value)
        return await _one(connection, version_id)


async def _check_newest(connection: _Connection, new: NewTemplate, based_on: str) -> None:
    base = await connection.fetchrow(_SQL.get_template, based_on)
    kind = (new.tenant_id, new.event_type, new.channel)
    if base is None or (base["tenant_id"], base["event_type"], base["channel"]) != kind:
        text = "must be a version of the same tenant, event type and channel"
        raise ClarionError(Code.INVALID, f"based_on {text}.", fields=[("based_on", text)])
    newest = await connection.fetchrow(_SQL.newest_of_locale, *kind, new.locale)
    if newest is not None and newest["version"] > base["version"]:
        raise NewerVersionError(newest["id"])


async def _one(reader: _Reader, version_id: str) -> TemplateVersion:
    row = await reader.fetchrow(_SQL.get_template, version_id)
    if row is None:
        raise ClarionError(Code.NOT_FOUND, "Template version not found.")
    (version,) = await _versions(reader, [row])
    return version


async def _versions(reader: _Reader, rows: Collection[asyncpg.Record]) -> list[TemplateVersion]:
    ids = {part_id for row in rows for part_id in row["part_ids"]}
    found = await reader.fetch(_SQL.name_parts, list(ids)) if ids else []
    parts = {row["id"]: PinnedPart(row["id"], row["kind"], row["name"], row["version"]) for row in found}
    return [_version(row, [parts[part_id] for part_id in row["part_ids"]]) for row in rows]


def _version(row: asyncpg.Record, parts: Iterable[PinnedPart]) -> TemplateVersion:
    template = NewTemplate(
        row["tenant_id"],
        row["event_type"],
        row["channel"],
        row["subject"],
        row["body"],
        row["push_namespace"],
        row["locale"],
        row["preheader"],
        row["layout"],
        row["subscribed"],
    )
    activated = row["activated_at"]
    return TemplateVersion(
        row["id"],
        row["version"],
        template,
        active=row["active"],
        created_at_us=clock.micros_of(row["created_at"]),
        activated_at_us=0 if activated is None else clock.micros_of(activated),
        parts=tuple(parts),
    )


def _language(row: asyncpg.Record) -> TemplateLanguage:
    activated = row["activated_at"] if row["active_id"] is not None else None
    return TemplateLanguage(
        row["tenant_id"],
        row["event_type"],
        row["channel"],
        row["locale"],
        row["id"],
        row["version"],
        row["subject"],
        clock.micros_of(row["created_at"]),
        row["active_id"] or "",
        row["active_version"] or 0,
        0 if activated is None else clock.micros_of(activated),
    )


def sources(rows: Iterable[asyncpg.Record], parts: Iterable[asyncpg.Record]) -> dict[str, TemplateSource]:
    """Return the sources of these rows by version id, each with its layout and partials."""
    by_id = {part["id"]: part for part in parts}
    return {row["id"]: _source(row, [by_id[part_id] for part_id in row["part_ids"]]) for row in rows}


def published(rows: Iterable[asyncpg.Record]) -> bytes:
    """Return an event type's active templates as the configuration bucket holds them."""
    return msgspec.json.encode([_published(row) for row in rows])


def _source(row: asyncpg.Record, parts: Collection[asyncpg.Record]) -> TemplateSource:
    return TemplateSource(
        row["channel"],
        row["subject"],
        row["body"],
        row["preheader"],
        layout="".join(part["body"] for part in parts if part["kind"] == LAYOUT),
        partials={part["name"]: part["body"] for part in parts if part["kind"] == PARTIAL},
        locale=row["locale"],
    )


def _active(row: asyncpg.Record) -> ActiveTemplate:
    return ActiveTemplate(row["channel"], row["id"], row["push_namespace"], row["locale"], row["subscribed"])


def _published(row: asyncpg.Record) -> dict[str, str | bool]:
    channel = channels.PUBLIC_NAMES[event_pb2.Channel.ValueType(row["channel"])]
    published: dict[str, str | bool] = {
        "channel": channel,
        "template_version_id": row["id"],
        "push_namespace": row["push_namespace"],
        "locale": row["locale"],
    }
    return {**published, "subscribed": True} if row["subscribed"] else published
