"""Refused requests on a real stack: found by their tenant, and by the key that sent them."""

import io
import json
from typing import Any

import aiohttp

from tests.integration.gateway.conftest import CreateTenant, Tenant
from tests.waiting import eventually

BASE = "/api/v1/admin"
TRIGGER = "/api/v1/events/trigger"
EVENT: dict[str, Any] = {
    "eventType": "order.confirmed",
    "payload": {"userId": "u1", "recipientEmail": "ada@example.com"},
    "variables": {"secret_word": "xyzzy"},
}


async def send(http: aiohttp.ClientSession, key: str | None, body: Any = EVENT) -> int:
    """Trigger an event; return the status."""
    headers = {"x-api-key": key} if key is not None else {}
    async with http.post(TRIGGER, json=body, headers=headers) as answer:
        return answer.status


async def _is_refused(http: aiohttp.ClientSession, key: str) -> bool:
    """Return whether a change of the key or of its tenant has taken effect, which takes some seconds at the most."""
    return await send(http, key) == 401


async def call(http: aiohttp.ClientSession, admin: dict[str, str], method: str, path: str, body: Any = None) -> Any:
    """Call the admin API."""
    async with http.request(method, BASE + path, json=body, headers=admin) as answer:
        assert answer.status < 300, await answer.text()
        return await answer.json() if answer.content_length else None


async def page(http: aiohttp.ClientSession, admin: dict[str, str], **filters: str) -> list[dict[str, Any]]:
    """Return the newest refusals."""
    async with http.get(BASE + "/refused-requests", params=filters, headers=admin) as answer:
        assert answer.status == 200, await answer.text()
        rows: list[dict[str, Any]] = (await answer.json())["data"]
    return rows


async def refused(
    http: aiohttp.ClientSession, admin: dict[str, str], wanted: int, **filters: str
) -> list[dict[str, Any]]:
    """Return the refusals once there are so many requests."""

    async def found() -> list[dict[str, Any]]:
        rows = await page(http, admin, **filters)
        assert sum(row["count"] for row in rows) >= wanted
        return rows

    return await eventually(found, 60)


async def test_each_refusal_leads_to_its_key(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """A rotated, revoked and disabled key are told by their last characters, with what to do; no value is kept."""
    tenant = await create_tenant()
    keys = f"/tenants/{tenant.id}/keys"
    further = {name: await call(http, admin, "POST", keys, {"name": name}) for name in ("shop", "till")}
    assert await send(http, tenant.key) == 200
    await call(http, admin, "POST", f"/tenants/{tenant.id}/rotate-key")
    await call(http, admin, "DELETE", f"{keys}/{further['shop']['id']}")
    await call(http, admin, "PATCH", f"{keys}/{further['till']['id']}", {"disabled": True})
    for key in (tenant.key, further["shop"]["api_key"], further["till"]["api_key"]):
        await eventually(lambda key=key: _is_refused(http, key))
    assert await send(http, tenant.key) == 401
    rows = await refused(http, admin, 4, tenant_id=tenant.id)
    assert {row["status"] for row in rows} == {401}
    by_reason = {row["reason"]: row for row in rows}
    assert set(by_reason) == {"key_rotated", "key_revoked", "key_disabled"}
    assert by_reason["key_rotated"]["key"]["last4"] == tenant.key[-4:]
    assert by_reason["key_rotated"]["count"] == 2
    assert by_reason["key_revoked"]["key"]["id"] == further["shop"]["id"]
    assert by_reason["key_disabled"]["key"]["name"] == "till"
    assert all(row["text"] and row["fix"] for row in rows)
    assert tenant.key not in json.dumps(rows)
    only = await refused(http, admin, 1, key_id=further["shop"]["id"])
    assert [row["reason"] for row in only] == ["key_revoked"]


async def test_an_unknown_key_is_nobodys(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """It is listed without a tenant, with its beginning, its end and the network; no tenant sees it."""
    tenant = await create_tenant()
    key = "sk_live_" + "0" * 36 + "zq7x"
    assert await send(http, key) == 401
    assert await send(http, None) == 401

    async def listed() -> dict[str, Any] | None:
        rows = await refused(http, admin, 1, reason="key_unknown")  # of other tests, too
        return next((row for row in rows if row["key"]["last4"] == "zq7x"), None)

    row = await eventually(listed)
    assert row["tenant_id"] is None
    assert row["key"] == {"id": None, "name": None, "prefix": "sk_live_", "last4": "zq7x", "state": "unknown"}
    assert row["network"] == "127.0.0.0/24"
    (missing, *_) = await refused(http, admin, 1, reason="key_missing")
    assert missing["key"] is None
    assert await page(http, admin, tenant_id=tenant.id) == []


async def test_requests_of_a_valid_key(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """A wrong field, a body that is no JSON, one that is too large, a used-up rate, a missing signature."""
    tenant = await create_tenant(rate_limit_per_minute=1)
    assert await send(http, tenant.key, {**EVENT, "payload": {"userId": "ada@example.com" * 50}}) == 422
    assert await send(http, tenant.key, {**EVENT, "variables": "x"}) == 422
    async with http.post(TRIGGER, data=b"{", headers=_headers(tenant)) as answer:
        assert answer.status == 400
    async with http.post(TRIGGER, data=io.BytesIO(b"x" * (3 * 2**20)), headers=_headers(tenant)) as answer:
        assert answer.status == 413
    assert await send(http, tenant.key) == 200
    assert await send(http, tenant.key, {**EVENT, "variables": {"n": 2}}) == 429
    await call(http, admin, "POST", f"/tenants/{tenant.id}/webhook-secret", {})
    await eventually(lambda: _is_refused(http, tenant.key))
    rows = await refused(http, admin, 6, tenant_id=tenant.id)
    reasons = {(row["status"], row["reason"]) for row in rows}
    assert reasons == {
        (422, "invalid"),
        (400, "malformed"),
        (413, "too_large"),
        (429, "rate"),
        (401, "signature_wrong"),
    }
    assert all(row["key"]["state"] == "valid" and row["key"]["last4"] == tenant.key[-4:] for row in rows)
    assert all(row["network"] is None for row in rows)
    (invalid,) = [row for row in rows if row["status"] == 422]
    assert invalid["count"] == 2
    assert invalid["fields"]
    shown = json.dumps(rows)
    assert not any(value in shown for value in ("xyzzy", "ada@", "example.com"))
    assert await refused(http, admin, 1, tenant_id=tenant.id, status="429")
    assert await page(http, admin, tenant_id=tenant.id, until="2020-01-01") == []


async def test_filters_are_checked(http: aiohttp.ClientSession, admin: dict[str, str]) -> None:
    """A status, reason or key that cannot be is refused, with what can."""
    for filters in ({"status": "200"}, {"reason": "nonsense"}, {"key_id": "x"}, {"since": "tomorrow"}):
        async with http.get(BASE + "/refused-requests", params=filters, headers=admin) as answer:
            assert answer.status == 422
            assert (await answer.json())["errors"][0]["field"] == next(iter(filters))


def _headers(tenant: Tenant) -> dict[str, str]:
    return {**tenant.headers, "Content-Type": "application/json"}
