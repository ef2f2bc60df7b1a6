"""What the configuration bucket holds of senders: each tenant's providers. See runtime.reconcile."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from runtime import postgres
from runtime.reconcile import ConfigurationSource, RowReader
from services.domain import topology
from services.senders.store import published

OWNER = "senders"

_SQL = postgres.Queries(Path(__file__).with_name("configuration_sources.sql"))


async def _keys(reader: RowReader, after: str, limit: int) -> list[str]:
    rows = await reader.fetch(_SQL.tenant_ids, _tenant(after), limit)
    return [topology.providers_key(row["tenant_id"]) for row in rows]


async def _providers(reader: RowReader, keys: Sequence[str]) -> dict[str, bytes]:
    rows = await reader.fetch(_SQL.providers, [_tenant(key) for key in keys])
    return {
        topology.providers_key(tenant_id): published(list(found))
        for tenant_id, found in groupby(rows, lambda row: row["tenant_id"])
    }


# A tenant has at most a hundred providers.
SOURCES = (ConfigurationSource("providers", _keys, _providers, batch=50),)


def _tenant(key: str) -> str:
    return key.partition(".")[2]
