"""The workflows in the configuration bucket. See runtime.reconcile."""

import uuid
from collections.abc import Sequence

from runtime.reconcile import ConfigurationSource, RowReader
from services.domain import topology
from services.router.endpoints.configuration_sources import type_of
from services.router.workflows.publication import SQL, workflows_values

_FIRST = (str(uuid.UUID(int=0)), "")


async def _keys(reader: RowReader, after: str, limit: int) -> list[str]:
    rows = await reader.fetch(SQL.workflows_keys, *(type_of(after) or _FIRST), limit)
    return [topology.workflows_key(str(row["tenant_id"]), row["name"]) for row in rows]


async def _values(reader: RowReader, keys: Sequence[str]) -> dict[str, bytes]:
    return await workflows_values(reader, [part for key in keys if (part := type_of(key))])


# A deleted key leaves no trace, because tenants may create and delete workflows without an end.
SOURCE = ConfigurationSource(topology.WORKFLOWS, _keys, _values, batch=100, keeps_no_trace=True)
