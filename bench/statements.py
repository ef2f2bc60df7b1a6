"""Counts SQL statements of the stack with pg_stat_statements."""

from dataclasses import dataclass

import asyncpg

_TOTALS = """
SELECT left(regexp_replace(query, '\\s+', ' ', 'g'), 90) AS query, calls, rows, total_exec_time / 1000 AS seconds
FROM pg_stat_statements
WHERE query NOT LIKE '%/* bench */%' AND toplevel
/* bench */
"""


@dataclass(frozen=True)
class Statement:
    """One kind of statement in a period. seconds: its total execution time."""

    query: str
    calls: int
    rows: int
    seconds: float


class Statements:
    """Counts statements from start() to stop(), including BEGIN and COMMIT."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._sql = connection

    async def prepare(self) -> None:
        """Create the extension. The server must have it preloaded: see bench.ground."""
        await self._sql.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements /* bench */")

    async def start(self) -> None:
        """Count from zero."""
        await self._sql.execute("SELECT pg_stat_statements_reset() /* bench */")

    async def stop(self) -> list[Statement]:
        """Return the statements, the most frequent first."""
        rows = await self._sql.fetch(_TOTALS)
        found = [Statement(row["query"], row["calls"], row["rows"], row["seconds"]) for row in rows]
        return sorted(found, key=lambda statement: -statement.calls)
