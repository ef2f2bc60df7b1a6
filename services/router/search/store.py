"""Finds workflows, segments, schedules and imports by their ids."""

from collections.abc import Sequence
from pathlib import Path

from clarion.common.v1.search_pb2 import SearchHit
from runtime import postgres
from services.domain.searching import hit, id_range
from services.router.recipients.store import Pool

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))


class StoredSearch:
    """Reads what has ids of its own in several tables of the router."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, query: str, tenant_ids: Sequence[str], limit: int) -> list[SearchHit]:
        """Return up to limit things with such an id; no tenants: of all. Raises UNAVAILABLE."""
        low, high = id_range(query)
        if low is None:
            return []
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.search, low, high, list(tenant_ids) or None, limit)
        return [hit(row) for row in rows]
