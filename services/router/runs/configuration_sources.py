"""The canceled events in the configuration bucket. See runtime.reconcile."""

import uuid
from collections.abc import Sequence
from pathlib import Path

from runtime import postgres
from runtime.ids import is_uuid
from runtime.reconcile import ConfigurationSource, RowReader
from services.domain import topology

_SQL = postgres.Queries(Path(__file__).with_name("configuration_sources.sql"))
_NO_ID = str(uuid.UUID(int=0))


async def _keys(reader: RowReader, after: str, limit: int) -> list[str]:
    rows = await reader.fetch(_SQL.canceled_ids, *(_parts(after) or (_NO_ID, _NO_ID)), limit)
    return [topology.canceled_key(str(row["tenant_id"]), str(row["event_id"])) for row in rows]


async def _values(reader: RowReader, keys: Sequence[str]) -> dict[str, bytes]:
    pairs = [parts for key in keys if (parts := _parts(key)) is not None]
    rows = await reader.fetch(_SQL.canceled, [tenant for tenant, _ in pairs], [event for _, event in pairs])
    return {
        topology.canceled_key(str(row["tenant_id"]), str(row["event_id"])): str(row["canceled_us"]).encode()
        for row in rows
    }


SOURCE = ConfigurationSource(topology.CANCELED, _keys, _values, keeps_no_trace=True)


def _parts(key: str) -> tuple[str, str] | None:
    """Return the tenant and event of a key; None: this service never writes such a key."""
    tenant_id, _, event_id = key.partition(".")[2].partition(".")
    return (tenant_id, event_id) if is_uuid(tenant_id) and is_uuid(event_id) else None
