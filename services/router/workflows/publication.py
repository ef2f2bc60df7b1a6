"""Workflows as they are published: the query and the values. See services.domain.workflows."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from runtime import postgres
from services.domain import topology, workflows

SQL = postgres.Queries(Path(__file__).with_name("publication.sql"))

_encode = msgspec.json.Encoder().encode


class Reader(Protocol):
    """Reads rows: a connection, or runtime.reconcile.RowReader."""

    async def fetch(self, query: str, *arguments: Any) -> Sequence[Any]:
        """Return all rows."""


async def workflows_values(reader: Reader, wanted: Iterable[tuple[str, str]]) -> dict[str, bytes]:
    """Return what is to be published for the event types that are known, by key. wanted: tenants and names."""
    parts = list(wanted)
    if not parts:
        return {}
    rows = await reader.fetch(SQL.workflows, [tenant_id for tenant_id, _ in parts], [name for _, name in parts])
    found: dict[str, list[workflows.Workflow]] = {}
    for row in rows:
        of_type = found.setdefault(topology.workflows_key(str(row["tenant_id"]), row["name"]), [])
        if row["id"] is not None:
            scope = str(row["environment_id"] or "")
            of_type.append(workflows.Workflow(str(row["id"]), row["version"], scope, row["is_active"]))
    return {key: _encode(of_type) for key, of_type in found.items()}
