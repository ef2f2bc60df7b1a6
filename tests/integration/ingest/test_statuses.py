"""The SQL functions made from the list of statuses agree with it, and cost no index."""

import asyncpg
import pytest

from clarion.common.v1 import trace_pb2
from services.domain import statuses

# Most deliveries have one of these, so ingest.deliveries_trouble leaves them out.
_COMMON = {
    trace_pb2.DELIVERY_STATUS_QUEUED,
    trace_pb2.DELIVERY_STATUS_SENT,
    trace_pb2.DELIVERY_STATUS_DELIVERED,
}


async def test_sql_and_python_know_the_same_ranks(postgres_url: str) -> None:
    """Of each status, of none, and of one that only a newer version knows."""
    connection = await asyncpg.connect(postgres_url)
    try:
        rows = await connection.fetch(
            "SELECT n, ingest.status_rank(n) AS rank, ingest.is_terminal(n) AS is_terminal"
            " FROM unnest($1::smallint[]) AS n",
            [0, *statuses.BY_NUMBER, 99],
        )
    finally:
        await connection.close()
    assert {row["n"]: (row["rank"], row["is_terminal"]) for row in rows} == {
        number: (statuses.rank(number), statuses.is_terminal(number)) for number in (0, *statuses.BY_NUMBER, 99)
    }


async def test_the_planner_replaces_the_calls(postgres_url: str) -> None:
    """A call for each row would take longer than the comparison."""
    query = "SELECT ingest.status_rank(status) FROM ingest.deliveries WHERE ingest.is_terminal(status)"
    assert "ingest." not in (await _plan(postgres_url, query)).replace("ingest.deliveries", "")


@pytest.mark.parametrize("number", [one for one in statuses.BY_NUMBER if one not in _COMMON], ids=statuses.name)
async def test_a_search_by_a_rare_status_uses_its_index(postgres_url: str, number: int) -> None:
    """Of millions of deliveries few are skipped, retrying or in trouble."""
    plan = await _plan(postgres_url, f"SELECT event_id FROM ingest.deliveries WHERE status = {number}")
    assert "deliveries_trouble" in plan


async def _plan(postgres_url: str, query: str) -> str:
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute("SET enable_seqscan = off")
        return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN (VERBOSE, COSTS OFF) {query}"))
    finally:
        await connection.close()
