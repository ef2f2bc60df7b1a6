"""Tenants with as many endpoints as they may have: pages read few rows, and large deletions end in time."""

import json
from typing import Any, TypeAlias

import asyncpg
import pytest
from nats.aio.client import Client

from runtime.configuration import ConfigurationOutbox
from runtime.ids import new_id
from services.router.catalogs.event_types import store as event_types
from services.router.endpoints import store as endpoints
from services.router.endpoints.store import MAX_ENDPOINTS
from services.router.recipients.store import BEFORE_ALL
from tests.integration.router.endpoint_world import EndpointWorld

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TENANT = new_id()
_SUBSCRIBED = 5_000

_FILL = """
INSERT INTO router.endpoints (
    tenant_id, id, environment_id, application_id, kind, mode, url, description, metadata, config, header_names,
    sealed_headers, auth_username, sealed_auth, rate_per_s, batch_size, retry_delays_s
)
SELECT $1, gen_random_uuid(), $2, $3, 1, 1, 'https://shop.example/', '', '{}', '{}', '{}', '', '', '', 0, 1, '{}'
FROM generate_series(1, $4)
"""
_SECRETS = """
INSERT INTO router.endpoint_secrets (tenant_id, endpoint_id, id, ciphertext, last4)
SELECT e.tenant_id, e.id, gen_random_uuid(), 'x', 'abcd' FROM router.endpoints e
"""
_SUBSCRIBE = """
INSERT INTO router.subscriptions (tenant_id, event_type_id, endpoint_id, id, filter)
SELECT e.tenant_id, $2, e.id, gen_random_uuid(), '' FROM router.endpoints e WHERE e.tenant_id = $1 LIMIT $3
"""


class _UnpublishedOutbox(ConfigurationOutbox):
    """Leaves what is waiting to another process."""

    async def publish(self, key: str, deadline: float = 2.0) -> int:
        """Return that nothing is known to be published."""
        return 0


@pytest.fixture
def router(pool: Pool, connection: Client) -> EndpointWorld:
    """One router process."""
    return EndpointWorld(pool, connection)


async def _rows_read(pool: Pool, query: str, *arguments: object) -> float:
    """Return the number of rows that a query reads from tables and indexes."""
    plan = json.loads(await pool.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *arguments))

    def count(node: dict[str, Any]) -> float:
        below = sum(count(one) for one in node.get("Plans", ()))
        own = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        return float(below + (own if "Scan" in node["Node Type"] else 0))

    return count(plan[0]["Plan"])


async def _fill(router: EndpointWorld) -> tuple[str, str, str]:
    """Store them; return the ids of the event type, the environment and the application."""
    pool = router.pool
    event_type = await router.event_type(TENANT, "order.paid")
    environment_id = await router.environments.default_id(TENANT)
    application_id = await router.application(TENANT)
    await pool.execute(_FILL, TENANT, environment_id, application_id, MAX_ENDPOINTS)
    await pool.execute(_SECRETS)
    await pool.execute(_SUBSCRIBE, TENANT, event_type, _SUBSCRIBED)
    await pool.execute("UPDATE router.applications SET endpoints = $1", MAX_ENDPOINTS)
    await pool.execute("UPDATE router.event_types SET subscribers = $1", _SUBSCRIBED)
    await pool.execute(
        "UPDATE router.endpoint_counts SET endpoints = $1, subscriptions = $2", MAX_ENDPOINTS, _SUBSCRIBED
    )
    return event_type, environment_id, application_id


@pytest.mark.parametrize("is_analyzed", [True, False])
async def test_pages_read_few_rows(router: EndpointWorld, pool: Pool, *, is_analyzed: bool) -> None:
    """With statistics and without."""
    event_type, environment_id, application_id = await _fill(router)
    if is_analyzed:
        await pool.execute("ANALYZE router.endpoints, router.subscriptions, router.endpoint_secrets")
    after, rest = BEFORE_ALL, (100, None, None)
    sql = endpoints._SQL
    assert await _rows_read(pool, sql.ids, TENANT, after, *rest) <= 300
    assert await _rows_read(pool, sql.ids_of_environment, TENANT, after, 100, environment_id, None) <= 300
    assert await _rows_read(pool, sql.ids_of_application, TENANT, after, 100, None, application_id) <= 300
    assert await _rows_read(pool, sql.ids_of_event_type, TENANT, after, *rest, event_type) <= 300
    assert await _rows_read(pool, event_types._SQL.page, TENANT, "", 100) <= 300


async def test_a_large_application_is_deleted_in_one_transaction(router: EndpointWorld, pool: Pool) -> None:
    """With all of its endpoints, each of which has a key to delete."""
    _, _, application_id = await _fill(router)
    router.writes._outbox = _UnpublishedOutbox(pool, "router", router.connection)
    await router.applications.delete(TENANT, application_id)
    for table in ("endpoints", "endpoint_secrets", "subscriptions", "applications"):
        assert await pool.fetchval(f"SELECT count(*) FROM router.{table}") == 0
    counts = await pool.fetchrow("SELECT * FROM router.endpoint_counts")
    assert counts is not None
    assert (counts["endpoints"], counts["subscriptions"], counts["applications"]) == (0, 0, 0)
    rows = await pool.fetchrow("SELECT count(*) AS all, count(value) AS values FROM router.config_outbox")
    assert rows is not None
    assert (rows["all"], rows["values"]) == (MAX_ENDPOINTS + 1, 0)
