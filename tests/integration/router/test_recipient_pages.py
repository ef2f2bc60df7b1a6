"""Reading a page of a large group, or of everybody: as much work as the page is long, not as the group."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from services.router.recipients import people, store

TENANT = "01a1fe7a-0000-7000-8000-000000000001"
OTHER = "01a1fe7a-0000-7000-8000-000000000002"
MANY = 100_000
LIMIT = 501
# In the middle of all.
CURSOR = f"00000000-0000-7000-8000-{MANY // 2:012x}"
BOUND = f"00000000-0000-7000-8000-{MANY - 1:012x}"

_FILL = f"""
SET session_replication_role = replica;  -- foreign keys are not what is tested, and take most of the time
INSERT INTO router.recipients
    (tenant_id, id, recipient_id, email, phone, name, locale, timezone, data, tags, muted_channels)
SELECT tenant, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'r' || n, 'r' || n || '@example.org',
    '', '', '', '', '{{}}', '{{all}}', '{{}}'
FROM generate_series(1, {MANY}) AS n, unnest('{{{TENANT},{OTHER}}}'::uuid[]) AS tenant
WHERE tenant = '{TENANT}' OR n % 10 = 0;
INSERT INTO router.recipient_tags (tenant_id, tag, member_id)
SELECT tenant_id, tag, id FROM router.recipients, unnest('{{all,r5}}'::text[]) AS tag
WHERE tag = 'all' OR recipient_id LIKE '%5';
INSERT INTO router.groups (tenant_id, id, key, name)
SELECT '{TENANT}', ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'g' || n, ''
FROM generate_series(1, 20) AS n;
INSERT INTO router.group_members (tenant_id, group_id, member_id)
SELECT r.tenant_id, g.id, r.id FROM router.recipients r, router.groups g
WHERE r.tenant_id = '{TENANT}' AND (g.key = 'g1' OR g.key = 'g2' AND r.recipient_id LIKE '%5');
SET session_replication_role = DEFAULT;
"""


@pytest.fixture(params=["fresh", "analyzed", "generic"])
async def connection_to_many(
    postgres_url: str, request: pytest.FixtureRequest
) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """On a group of 100,000; PostgreSQL plans without statistics, with them, and for parameters it does not know."""
    connection = await asyncpg.connect(postgres_url, timeout=30)
    await connection.execute(_FILL)
    if request.param != "fresh":
        await connection.execute(
            "ANALYZE router.recipients, router.groups, router.group_members, router.recipient_tags"
        )
    if request.param == "generic":
        await connection.execute("SET plan_cache_mode = force_generic_plan")
    yield connection
    await connection.close()


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


async def _work(connection: "asyncpg.Connection[asyncpg.Record]", query: str, *arguments: Any) -> tuple[int, int]:
    """Return how many rows the plan's largest node produced or threw away, and how many pages of memory all touched."""
    await connection.execute("DEALLOCATE ALL")
    await connection.execute(f"PREPARE page AS {query}")
    values = ", ".join(map(_literal, arguments))
    [row] = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE page ({values})")
    plan = json.loads(row[0])[0]["Plan"]
    rows = max(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in _nodes(plan)
    )
    return int(rows), plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(_literal, value))}]::text[]"
    return str(value) if isinstance(value, int) else f"'{value}'"


_NAMED, _EVERYBODY = people._SQL.page_of_named, people._SQL.page_of_everybody
_LISTS = store._SQL


@pytest.mark.slow
async def test_a_page_takes_no_more_work_than_it_is_long(
    connection_to_many: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    """Of a group of 100,000, of two, of everybody; of those who are excluded no more than who could be on the page."""
    for cursor, bound in ((store.BEFORE_ALL, store.AFTER_ALL), (CURSOR, BOUND)):
        for name, query, arguments in (
            ("group", _NAMED, (TENANT, ["g1"], [], [], cursor, LIMIT, [], bound)),
            ("groups", _NAMED, (TENANT, ["g1", "g2"], ["r7", "r8"], ["r9"], cursor, LIMIT, [], bound)),
            ("excluded", _NAMED, (TENANT, ["g1"], [], [], cursor, LIMIT, ["g1", "g2"], bound)),
            ("everybody", _EVERYBODY, (TENANT, ["r9"], cursor, LIMIT, [], bound)),
            ("everybody, excluded", _EVERYBODY, (TENANT, [], cursor, LIMIT, ["g1"], bound)),
        ):
            rows, blocks = await _work(connection_to_many, query, *arguments)
            # Of each of two groups a page is read.
            assert LIMIT <= rows <= 3 * LIMIT, (name, cursor, rows)
            assert blocks <= 20 * LIMIT, (name, cursor, blocks)


@pytest.mark.slow
@pytest.mark.parametrize("connection_to_many", ["analyzed", "generic"], indirect=True)
async def test_a_list_takes_no_more_work_than_it_is_long(
    connection_to_many: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    """All of 100,000, those with a tag that all have, and one by their address."""
    for name, query, arguments, most in (
        ("all", _LISTS.ids, (TENANT, CURSOR, 100), 100),
        ("tag", _LISTS.ids_with_tags, (TENANT, CURSOR, 100, ["all"]), 100),
        ("tags", _LISTS.ids_with_tags, (TENANT, CURSOR, 100, ["all", "r5"]), 2000),
        ("email", _LISTS.ids_with_email, (TENANT, store.BEFORE_ALL, 100, [], "R77@example.org"), 1),
    ):
        rows, blocks = await _work(connection_to_many, query, *arguments)
        assert 1 <= rows <= most, (name, rows)
        assert blocks <= 20 * most, (name, blocks)
