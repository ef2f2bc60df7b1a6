"""Ingest's part of the configuration bucket: tenants, API keys, retention, erasures. See runtime.reconcile."""

import uuid
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import msgspec

from runtime import postgres
from runtime.clock import micros_of
from runtime.ids import is_uuid
from runtime.reconcile import ConfigurationSource, RowReader
from services.domain import erasures, pseudonym_keys, retention, topology
from services.ingest.keys.api_key import api_key_value
from services.ingest.keys.store import api_key
from services.ingest.tenants.store import configuration_value

OWNER = "ingest"

_SQL = postgres.Queries(Path(__file__).with_name("configuration_sources.sql"))
_FIRST = str(uuid.UUID(int=0))


async def _tenant_keys(reader: RowReader, after: str, limit: int) -> list[str]:
    rows = await reader.fetch(_SQL.tenant_ids, _rest(after) or _FIRST, limit)
    return [topology.tenant_key(str(row["id"])) for row in rows]


async def _tenants(reader: RowReader, keys: Sequence[str]) -> dict[str, bytes]:
    ids = _ids(keys)
    rows = await reader.fetch(_SQL.tenants, ids)
    secrets = await reader.fetch(_SQL.webhook_secrets, ids)
    kept = {tenant_id: list(found) for tenant_id, found in groupby(secrets, lambda row: row["tenant_id"])}
    return {topology.tenant_key(str(row["id"])): configuration_value(row, kept.get(row["id"], [])) for row in rows}


async def _key_keys(reader: RowReader, after: str, limit: int) -> list[str]:
    rows = await reader.fetch(_SQL.key_digests, bytes.fromhex(_rest(after)), limit)
    return [topology.api_key_key(row["digest"].hex()) for row in rows]


async def _api_keys(reader: RowReader, keys: Sequence[str]) -> dict[str, bytes]:
    rows = await reader.fetch(_SQL.api_keys, [digest for key in keys if (digest := _digest(_rest(key)))])
    return {topology.api_key_key(row["digest"].hex()): api_key_value(api_key(row)) for row in rows}


async def _retention_keys(reader: RowReader, after: str, limit: int) -> list[str]:
    rows = await reader.fetch(_SQL.retention_ids, _rest(after) or _FIRST, limit)
    return [retention.key(str(row["tenant_id"])) for row in rows]


async def _retention(reader: RowReader, keys: Sequence[str]) -> dict[str, bytes]:
    found = {}
    for row in await reader.fetch(_SQL.retention, _ids(keys)):
        days = dict(row)
        key = retention.key(str(days.pop("tenant_id")))
        found[key] = msgspec.json.encode(retention.RetentionPolicy(**days))
    return found


async def _erasure_keys(reader: RowReader, after: str, limit: int) -> list[str]:
    tenant_id, _, digest = _rest(after).partition(".")
    rows = await reader.fetch(_SQL.erasure_ids, tenant_id or _FIRST, digest, limit)
    return [erasures.key(str(row["tenant_id"]), row["recipient"]) for row in rows]


async def _erasures(reader: RowReader, keys: Sequence[str]) -> dict[str, bytes]:
    pairs = [(tenant, digest) for tenant, _, digest in (_rest(key).partition(".") for key in keys) if is_uuid(tenant)]
    rows = await reader.fetch(_SQL.erasures, [tenant for tenant, _ in pairs], [digest for _, digest in pairs])
    return {
        erasures.key(str(row["tenant_id"]), row["recipient"]): msgspec.json.encode(
            erasures.Erasure(str(row["id"]), micros_of(row["erased_at"]))
        )
        for row in rows
    }


SOURCES = (
    ConfigurationSource("tenants", _tenant_keys, _tenants),
    ConfigurationSource("keys", _key_keys, _api_keys),
    ConfigurationSource(retention.PREFIX, _retention_keys, _retention),
    ConfigurationSource(erasures.PREFIX, _erasure_keys, _erasures, keeps_no_trace=True),
    pseudonym_keys.source(OWNER),
)


def _rest(key: str) -> str:
    """Return the key without its prefix."""
    return key.partition(".")[2]


def _ids(keys: Sequence[str]) -> list[str]:
    return [found for key in keys if is_uuid(found := _rest(key))]


def _digest(text: str) -> bytes:
    """Return the bytes of a digest in lower-case hex; empty: it is not one."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return b""
    return found if found.hex() == text else b""
