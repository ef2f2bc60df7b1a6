"""What a tenant lacks and uses, on a real stack."""

from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from tests.integration.gateway.conftest import CreateTenant, Tenant
from tests.waiting import eventually

BASE = "/api/v1/admin"


async def call(http: aiohttp.ClientSession, admin: dict[str, str], method: str, path: str, body: Any = None) -> Any:
    """Call the admin API."""
    async with http.request(method, BASE + path, json=body, headers=admin) as answer:
        assert answer.status < 300, await answer.text()
        return await answer.json()


async def codes(http: aiohttp.ClientSession, admin: dict[str, str], tenant: Tenant) -> dict[str, dict[str, Any]]:
    """Return what is missing, by code."""
    found = await call(http, admin, "GET", f"/tenants/{tenant.id}/readiness")
    assert found["unanswered"] == []
    assert all(one["link"].startswith("/console/") and tenant.id in one["link"] for one in found["findings"])
    assert found["ready"] == all(one["severity"] != "blocks" for one in found["findings"])
    return {one["code"]: one for one in found["findings"]}


async def test_a_new_tenant_until_it_delivers(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """No provider and no template; no provider for a template; only the sandbox; an event type without a template."""
    tenant = await create_tenant()
    assert set(await codes(http, admin, tenant)) == {"no_provider", "no_templates"}
    template = {
        "tenant_id": tenant.id,
        "event_type": "order.paid",
        "channel": "EMAIL",
        "subject": "Paid",
        "body": "<p>Paid</p>",
        "activate": True,
    }
    await call(http, admin, "POST", "/templates", template)
    lacking = await codes(http, admin, tenant)
    assert lacking["no_provider"]["severity"] == "blocks"
    await call(http, admin, "POST", "/providers", {"tenant_id": tenant.id, "channel": "EMAIL", "kind": "sandbox"})
    assert set(await codes(http, admin, tenant)) == {"sandbox_only"}
    body = {"eventType": "order.lost", "payload": {"userId": "u1", "recipientEmail": "ada@example.com"}}
    async with http.post("/api/v1/events/trigger", json=body, headers=tenant.headers) as answer:
        assert answer.status == 200

    async def skipped() -> dict[str, Any]:
        found = await codes(http, admin, tenant)
        assert "no_active_template" in found
        return found["no_active_template"]

    finding = await eventually(skipped, 60)
    assert finding["detail"].startswith("order.lost: 1 event")
    assert "event_type=order.lost" in finding["link"]
    await call(http, admin, "PATCH", f"/tenants/{tenant.id}", {"active": False})
    assert "tenant_inactive" in await codes(http, admin, tenant)


async def test_usage(http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant) -> None:
    """Every limit with its bound, and rates with what remains; scheduled events and stored recipients count."""
    tenant = await create_tenant(rate_limit_per_minute=10, max_scheduled_events=7)
    people = {"recipients": [{"recipient_id": f"u{n}"} for n in range(3)]}
    await call(http, admin, "PUT", f"/tenants/{tenant.id}/recipients", people)
    body = {"eventType": "global.info", "payload": {"userId": "u1"}, "variables": {"message": "x"}}
    async with http.post("/api/v1/events/trigger", json=body, headers=tenant.headers) as answer:
        assert answer.status == 200
    for path, new in (
        ("segments", {"key": "all", "name": "All", "filter": {"all": []}}),
        ("schedules", {"name": "a", "cron": "0 9 * * *", "event": {"event_type": "a", "audience": [{"group": "g"}]}}),
    ):
        async with http.post(f"{BASE}/tenants/{tenant.id}/{path}", json=new, headers=admin) as answer:
            assert answer.status == 201, await answer.text()
    due_at = (datetime.now(UTC) + timedelta(days=2)).isoformat(timespec="seconds")
    later = {"event_type": "global.info", "audience": [{"recipient_id": "u1"}], "due_at": due_at}
    async with http.post(f"{BASE}/tenants/{tenant.id}/events", json=later, headers=admin) as answer:
        assert answer.status in (200, 201, 202), await answer.text()
    usage = await call(http, admin, "GET", f"/tenants/{tenant.id}/usage")
    assert usage["unanswered"] == []
    limits = {one["name"]: (one["used"], one["bound"]) for one in usage["limits"]}
    assert limits["scheduled_events"] == (1, 7)
    assert limits["recipients"] == (3, 1_000_000)
    assert [limits[name] for name in ("segments", "schedules", "workflows")] == [(1, 1000), (1, 1000), (0, 1000)]
    assert limits["keys"] == (0, 100)
    assert limits["providers"] == (0, 100)
    assert limits["parked_for_one_endpoint"] == (0, 100_000)
    (rate,) = usage["rates"]
    assert (rate["window_s"], rate["bound"], rate["kind"]) == (60, 10, "sliding")
    assert rate["used"] >= 1
    assert rate["remaining"] == 10 - rate["used"]
    assert 0 < rate["reset_s"] <= 60
