"""The suppressed addresses in the configuration bucket. See runtime.reconcile."""

import uuid
from collections.abc import Sequence
from pathlib import Path

from runtime import postgres
from runtime.ids import is_uuid
from runtime.reconcile import ConfigurationSource, RowReader
from services.domain import topology

_SQL = postgres.Queries(Path(__file__).with_name("configuration_sources.sql"))
_BEFORE_ALL = str(uuid.UUID(int=0)), -1


async def _keys(reader: RowReader, after: str, limit: int) -> list[str]:
    rows = await reader.fetch(_SQL.shard_ids, *(_parts(after) or _BEFORE_ALL), limit)
    return [topology.suppressions_key(str(row["tenant_id"]), row["shard"]) for row in rows]


async def _shards(reader: RowReader, keys: Sequence[str]) -> dict[str, bytes]:
    pairs = [parts for key in keys if (parts := _parts(key)) is not None]
    rows = await reader.fetch(_SQL.shards, [tenant for tenant, _ in pairs], [shard for _, shard in pairs])
    return {topology.suppressions_key(str(row["tenant_id"]), row["shard"]): row["packed"] for row in rows}


SOURCE = ConfigurationSource(topology.SUPPRESSIONS, _keys, _shards, batch=64)


def _parts(key: str) -> tuple[str, int] | None:
    """Return the tenant and shard of a key; None: this service never writes such a key."""
    tenant_id, _, shard = key.partition(".")[2].partition(".")
    try:
        number = int(shard, 16)
    except ValueError:
        return None
    return (tenant_id, number) if is_uuid(tenant_id) and shard == f"{number:02x}" and number < 256 else None
