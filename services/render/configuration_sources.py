"""What the configuration bucket holds of this service: active templates, versions, locales. See runtime.reconcile."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from runtime import postgres
from runtime.bucket_keys import key_text
from runtime.reconcile import ConfigurationSource, RowReader
from services.domain import topology
from services.render import frames
from services.render.store import published, sources
from services.render.templates import GLOBAL_TYPES, is_sent

OWNER = "render"

_SQL = postgres.Queries(Path(__file__).with_name("configuration_sources.sql"))
_PLATFORM = "platform"


async def _template_keys(reader: RowReader, after: str, limit: int) -> list[str]:
    rows = await reader.fetch(_SQL.event_types, *(_parts(after) or ("", "")), limit, sorted(GLOBAL_TYPES))
    return [topology.templates_key(row["tenant_id"], row["event_type"]) for row in rows]


async def _templates(reader: RowReader, keys: Sequence[str]) -> dict[str, bytes]:
    pairs = [parts for key in keys if (parts := _parts(key)) is not None and is_sent(*parts)]
    rows = await reader.fetch(_SQL.active, [tenant for tenant, _ in pairs], [event_type for _, event_type in pairs])
    return {
        topology.templates_key(*kind): published(found)
        for kind, found in groupby(rows, lambda row: (row["tenant_id"], row["event_type"]))
    }


async def _version_keys(reader: RowReader, after: str, limit: int) -> list[str]:
    rows = await reader.fetch(_SQL.version_ids, _rest(after), limit)
    return [topology.version_key(row["id"]) for row in rows]


async def _versions(reader: RowReader, keys: Sequence[str]) -> dict[str, bytes]:
    rows = await reader.fetch(_SQL.versions, [_rest(key) for key in keys])
    ids = {part_id for row in rows for part_id in row["part_ids"]}
    parts = await reader.fetch(_SQL.parts, list(ids)) if ids else []
    return {topology.version_key(id_): frames.published(source) for id_, source in sources(rows, parts).items()}


async def _locale_keys(reader: RowReader, after: str, limit: int) -> list[str]:
    rows = await reader.fetch(_SQL.locale_ids, _rest(after), limit)
    return [topology.locale_key(row["tenant_id"]) for row in rows]


async def _locales(reader: RowReader, keys: Sequence[str]) -> dict[str, bytes]:
    rows = await reader.fetch(_SQL.locales, [_rest(key) for key in keys])
    return {topology.locale_key(row["tenant_id"]): row["locale"].encode() for row in rows}


SOURCES = (
    ConfigurationSource("templates", _template_keys, _templates),
    # A version with its parts may have most of a megabyte.
    ConfigurationSource("versions", _version_keys, _versions, batch=8),
    ConfigurationSource("locales", _locale_keys, _locales),
)


def _rest(key: str) -> str:
    """Return a key without its prefix."""
    return key.partition(".")[2]


def _parts(key: str) -> tuple[str, str] | None:
    """Return tenant ("": the platform) and event type of a key; None for a key that this service never writes."""
    tenant_id, _, event_type = _rest(key).partition(".")
    try:
        parts = "" if tenant_id == _PLATFORM else tenant_id, key_text(event_type)
    except ValueError:
        return None
    return parts if topology.templates_key(*parts) == key and "\0" not in parts[1] else None
