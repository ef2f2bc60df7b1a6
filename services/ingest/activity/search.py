"""Looks for one thing by an id, in the tables of ingest."""

from collections.abc import Sequence
from pathlib import Path

import asyncpg

from runtime import postgres
from services.domain.searching import id_range

_QUERIES = postgres.Queries(Path(__file__).with_name("searching.sql"))


class SearchReader:
    """Reads the tables."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def find(self, query: str, tenant_ids: Sequence[str], limit: int) -> "list[asyncpg.Record]":
        """Return up to limit rows of each kind; no tenants: of all."""
        beginning = query.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        return await self._pool.fetch(
            _QUERIES.search, query, *id_range(query), list(tenant_ids) or None, limit, beginning
        )
