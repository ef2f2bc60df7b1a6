"""Alerts to the operator on a real stack: a provider dies and recovers, and the alert tenant's people get a mail."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from stack.client import Running
from tests.e2e.webhook_receiver import Receiver, receiving
from tests.integration.gateway.conftest import CreateTenant, Tenant
from tests.waiting import eventually

BASE = "/api/v1/admin"
# As many failures in a row open a provider's circuit.
FAILURES = 5
NO_ALERTS: dict[str, Any] = {"tenant_id": None, "recipients": [], "kinds": []}


async def call(http: aiohttp.ClientSession, admin: dict[str, str], method: str, path: str, body: Any = None) -> Any:
    """Call the admin API."""
    async with http.request(method, BASE + path, json=body, headers=admin) as answer:
        assert answer.status < 300, await answer.text()
        return await answer.json() if answer.content_length else None


async def send(http: aiohttp.ClientSession, tenant: Tenant, number: int) -> None:
    """Trigger an event that the platform has a mail for."""
    body = {
        "eventType": "global.info",
        "payload": {"userId": "u1", "recipientEmail": "ada@example.com"},
        "variables": {"title": f"Number {number}", "message": "Hello."},
    }
    async with http.post("/api/v1/events/trigger", json=body, headers=tenant.headers) as answer:
        assert answer.status == 200, await answer.text()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A server on loopback."""
    async with receiving() as made:
        yield made


@pytest.fixture
async def operators(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> AsyncIterator[Tenant]:
    """The alert tenant, whose mail goes to the sandbox; afterwards there are no alerts."""
    tenant = await create_tenant("Operators")
    provider = {"tenant_id": tenant.id, "channel": "EMAIL", "kind": "sandbox"}
    await call(http, admin, "POST", "/providers", provider)
    settings = {"tenant_id": tenant.id, "recipients": ["ops@example.com"], "kinds": ["provider"]}
    assert await call(http, admin, "PUT", "/alerts", settings) == settings
    yield tenant
    await call(http, admin, "PUT", "/alerts", NO_ALERTS)


async def mails(http: aiohttp.ClientSession, admin: dict[str, str], tenant: Tenant) -> list[dict[str, Any]]:
    """Return what the tenant's sandbox received, newest first."""
    found: list[dict[str, Any]] = (await call(http, admin, "GET", f"/tenants/{tenant.id}/outbox"))["data"]
    return found


async def test_a_provider_dies_and_recovers(
    http: aiohttp.ClientSession,
    admin: dict[str, str],
    create_tenant: CreateTenant,
    operators: Tenant,
    local_stack: Running,
    receiver: Receiver,
) -> None:
    """One mail each, with the reason; the outage is listed, and stands among what the tenant lacks.

    An endpoint of the operators that subscribes to the types gets one signed webhook each.
    """
    host, _, port = local_stack.state.processes["mail"].address.rpartition(":")
    tenant = await create_tenant("Walnut Lamps")
    provider = await call(
        http,
        admin,
        "POST",
        "/providers",
        {
            "tenant_id": tenant.id,
            "channel": "EMAIL",
            "kind": "smtp",
            "settings": {"host": host, "port": int(port), "tls": "starttls", "from_email": "a@walnut.example"},
        },
    )
    types = ["clarion.provider_down", "clarion.provider_recovered"]
    base = f"/tenants/{operators.id}"
    for name in types:
        await call(http, admin, "POST", f"{base}/event-types", {"name": name})
    endpoint = await call(http, admin, "POST", f"{base}/endpoints", {"url": receiver.url})
    await call(http, admin, "POST", f"{base}/endpoints/{endpoint['id']}/subscriptions", {"event_types": types})
    for number in range(FAILURES):
        await send(http, tenant, number)

    async def told(count: int) -> list[dict[str, Any]]:
        found = await mails(http, admin, operators)
        assert len(found) >= count
        return found

    (down,) = await eventually(lambda: told(1), 60)
    assert down["recipient"] == "ops@example.com"
    assert down["subject"] == "Provider down: smtp (email) of Walnut Lamps"
    assert "No secure connection to the provider was possible." in down["text"]
    (outage,) = (await call(http, admin, "GET", f"/outages?tenant_id={tenant.id}"))["data"]
    assert (outage["kind"], outage["object_id"], outage["ended_at"]) == ("provider", provider["id"], None)
    lacking = await call(http, admin, "GET", f"/tenants/{tenant.id}/readiness")
    assert "provider_down" in {one["code"] for one in lacking["findings"] if one["severity"] == "blocks"}

    await call(http, admin, "PATCH", f"/providers/{provider['id']}", {"settings": {"tls": "none"}})
    await send(http, tenant, 99)
    up, first = await eventually(lambda: told(2), 60)
    assert up["subject"] == "Provider works again: smtp (email) of Walnut Lamps"
    assert first == down
    assert (await call(http, admin, "GET", f"/outages?tenant_id={tenant.id}&open=true"))["data"] == []
    await eventually(lambda: len(receiver.arrived) >= len(types), 60)
    webhooks = receiver.verified(endpoint["secret"])
    assert [(one["type"], one["object_id"]) for one in webhooks] == [(name, provider["id"]) for name in types]


async def test_a_test_alert(http: aiohttp.ClientSession, admin: dict[str, str], operators: Tenant) -> None:
    """It reaches the people of the settings; without an alert tenant it is refused."""
    answer = await call(http, admin, "POST", "/alerts/test")
    assert answer["event_ids"]

    async def arrived() -> bool:
        return any(mail["subject"] == "Test alert" for mail in await mails(http, admin, operators))

    assert await eventually(arrived, 60)
    await call(http, admin, "PUT", "/alerts", NO_ALERTS)
    async with http.post(BASE + "/alerts/test", headers=admin) as refused:
        assert refused.status == 422


async def test_settings_are_checked(http: aiohttp.ClientSession, admin: dict[str, str], operators: Tenant) -> None:
    """An unknown tenant, kind or field, and what is no address."""
    for change, status, field in (
        ({"tenant_id": "01a1fe7a-0000-7000-8000-000000000000"}, 404, None),
        ({"kinds": ["weather"]}, 422, "kinds[0]"),
        ({"recipients": ["a@b@c"]}, 422, "recipients[0]"),
        ({"recipients": [""]}, 422, "recipients[0]"),
    ):
        body = {"tenant_id": operators.id, "recipients": [], "kinds": [], **change}
        async with http.put(BASE + "/alerts", json=body, headers=admin) as answer:
            assert answer.status == status, await answer.text()
            errors = (await answer.json()).get("errors", [])
            assert field is None or errors[0]["field"] == field
