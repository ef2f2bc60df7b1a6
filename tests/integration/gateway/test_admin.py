"""The operator's API on real services."""

from typing import Any

import aiohttp
import pytest

from tests.integration.gateway.conftest import CreateTenant
from tests.waiting import eventually

BASE = "/api/v1/admin"


async def call(
    http: aiohttp.ClientSession, method: str, path: str, headers: dict[str, str], body: Any = None
) -> tuple[int, Any]:
    """Return status and body; a problem must be a problem document."""
    async with http.request(method, BASE + path, headers=headers, json=body) as answer:
        if answer.status >= 400:
            assert answer.content_type == "application/problem+json"
            problem = await answer.json()
            assert problem["status"] == answer.status
            assert problem["type"].startswith("urn:clarion:problem:")
            return answer.status, problem
        return answer.status, None if answer.status == 204 else await answer.json()


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", "Basic {token}", "Bearer {token}x", "Bearer ü"])
async def test_only_the_operator_gets_in(http: aiohttp.ClientSession, admin: dict[str, str], shown: str) -> None:
    """Without the admin token every path is 401, even one that is not there."""
    token = admin["Authorization"].removeprefix("Bearer ")
    headers = {"Authorization": shown.format(token=token)} if shown else {}
    for path in ("/tenants", "/events", "/nothing"):
        status, problem = await call(http, "GET", path, headers)
        assert status == 401
        assert problem["type"] == "urn:clarion:problem:unauthenticated"


async def test_a_tenants_key_is_no_admin_token(http: aiohttp.ClientSession, create_tenant: CreateTenant) -> None:
    """A customer is no operator."""
    tenant = await create_tenant()
    assert (await call(http, "GET", "/tenants", {"Authorization": f"Bearer {tenant.key}"}))[0] == 401


async def test_a_tenant_from_first_to_last(http: aiohttp.ClientSession, admin: dict[str, str]) -> None:
    """Created with its key once, read, listed, changed, deactivated."""
    new = {"name": "Acorn", "delivery_channels": ["EMAIL", "PUSH"], "reply_to": "help@acorn.example"}
    status, created = await call(http, "POST", "/tenants", admin, new)
    assert status == 201
    key = created.pop("api_key")
    assert created["key_last4"] == key[-4:]
    assert created["delivery_channels"] == ["EMAIL", "PUSH"]
    assert (await call(http, "GET", f"/tenants/{created['id']}", admin)) == (200, created)

    _, page = await call(http, "GET", "/tenants?limit=1", admin)
    assert page["data"] == [created]
    _, second = await call(http, "GET", f"/tenants?limit=1&cursor={page['next_cursor']}", admin)
    assert second["data"][0]["id"] != created["id"]

    change = {"delivery_channels": [], "sender_name": "Acorn Shop"}
    _, changed = await call(http, "PATCH", f"/tenants/{created['id']}", admin, change)
    assert changed == {**created, **change}
    _, gone = await call(http, "DELETE", f"/tenants/{created['id']}", admin)
    assert gone["active"] is False


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("POST", "/tenants", {}, 422, "name"),
        ("POST", "/tenants", {"name": ""}, 422, "name"),
        ("POST", "/tenants", {"name": "x", "delivery_channels": ["FAX"]}, 422, "delivery_channels[0]"),
        ("POST", "/tenants", {"name": "x", "nmae": "y"}, 422, "nmae"),
        ("POST", "/tenants", {"name": "x", "max_unfinished_events": -1}, 422, "max_unfinished_events"),
        ("POST", "/templates", {"event_type": "x", "channel": "FAX", "body": "y"}, 422, "channel"),
        ("GET", "/tenants?limit=0", None, 422, "limit"),
        ("GET", "/events?status=lost", None, 422, "status"),
        ("GET", "/events?since=yesterday", None, 422, "since"),
        ("GET", "/providers", None, 422, "tenant_id"),
        ("GET", "/nothing", None, 404, None),
        ("GET", "/tenants/01a1fe7a-0000-7000-8000-000000000000", None, 404, None),
        ("GET", "/events/01a1fe7a-0000-7000-8000-000000000000", None, 404, None),
        ("GET", "/templates/01a1fe7a-0000-7000-8000-000000000000", None, 404, None),
        ("POST", "/dead-letters/01a1fe7a-0000-7000-8000-000000000000/replay", None, 404, None),
        ("GET", "/tenants/a%00b", None, 404, None),
    ],
)
async def test_a_wrong_request_is_a_problem(
    http: aiohttp.ClientSession,
    admin: dict[str, str],
    method: str,
    path: str,
    body: Any,
    status: int,
    field: str | None,
) -> None:
    """Each fault has its type, and names its field."""
    seen, problem = await call(http, method, path, admin, body)
    assert seen == status
    assert [error["field"] for error in problem.get("errors", [])] == ([field] if field else [])


async def test_a_template_from_first_to_last(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """Versions are inactive until activated; one is active at a time; a broken one is refused."""
    tenant = await create_tenant()
    new = {"tenant_id": tenant.id, "event_type": "a.b", "channel": "SMS", "body": "Hello {{name}}"}
    status, first = await call(http, "POST", "/templates", admin, new)
    assert (status, first["version"], first["active"]) == (201, 1, False)
    _, second = await call(http, "POST", "/templates", admin, {**new, "activate": True})
    assert (second["version"], second["active"]) == (2, True)
    _, activated = await call(http, "POST", f"/templates/{first['id']}/activate", admin)
    assert activated["active"] is True
    _, page = await call(http, "GET", f"/templates?tenant_id={tenant.id}&active=true", admin)
    assert [template["id"] for template in page["data"]] == [first["id"]]
    _, stopped = await call(http, "POST", f"/templates/{first['id']}/deactivate", admin)
    assert stopped["active"] is False
    status, problem = await call(http, "POST", "/templates", admin, {**new, "body": "{{#if a}}never closed"})
    assert status == 422
    assert problem["errors"][0]["field"] == "body"


async def test_a_draft_is_previewed(http: aiohttp.ClientSession, admin: dict[str, str]) -> None:
    """The production renderer's words, or its reason for none."""
    draft = {"channel": "PUSH", "subject": "Hi {{name}}", "body": "{{n}} new", "variables": {"name": "Ada", "n": 3}}
    _, good = await call(http, "POST", "/templates/preview", admin, draft)
    assert (good["content"]["title"], good["content"]["body"]) == ("Hi Ada", "3 new")
    status, bad = await call(http, "POST", "/templates/preview", admin, {**draft, "body": "{{#if a}}"})
    assert status == 200
    assert bad["failure"]["reason"] == "template_error"


async def test_a_providers_secrets_never_come_out(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """Created, listed without its password, deleted."""
    tenant = await create_tenant()
    settings = {
        "host": "mail.acorn.example",
        "port": 25,
        "from_email": "a@b.example",
        "username": "u",
        "password": "hunter22",
    }
    new = {"tenant_id": tenant.id, "channel": "EMAIL", "kind": "smtp", "name": "main", "settings": settings}
    status, created = await call(http, "POST", "/providers", admin, new)
    assert status == 201
    assert created["settings"]["host"] == "mail.acorn.example"
    _, page = await call(http, "GET", f"/providers?tenant_id={tenant.id}", admin)
    assert page["data"] == [created]
    assert "hunter22" not in str(page)
    assert (await call(http, "DELETE", f"/providers/{created['id']}", admin))[0] == 204
    assert (await call(http, "GET", f"/providers?tenant_id={tenant.id}", admin))[1]["data"] == []


@pytest.mark.parametrize(
    ("settings", "field", "words"),
    [
        ({"host": "127.0.0.1"}, "settings.host", "'127.0.0.1' is not a public address (loopback)"),
        ({"host": "169.254.169.254"}, "settings.host", "'169.254.169.254' is not a public address (link-local)"),
        ({"host": "0x7f.1"}, "settings.host", "'0x7f.1' is not written as an address"),
        ({"host": "mail.acorn.example", "port": 6379}, "settings.port", "Port 6379 is none of 25, 465, 587,"),
    ],
)
async def test_a_mail_server_that_is_not_allowed_is_not_saved(
    http: aiohttp.ClientSession,
    admin: dict[str, str],
    create_tenant: CreateTenant,
    settings: dict[str, Any],
    field: str,
    words: str,
) -> None:
    """Neither new nor by a change: 422 with a sentence that says what is wrong."""
    tenant = await create_tenant()
    new = {"tenant_id": tenant.id, "channel": "EMAIL", "kind": "smtp", "name": "main"}
    good = {"host": "mail.acorn.example", "port": 25, "from_email": "a@b.example"}
    _, kept = await call(http, "POST", "/providers", admin, {**new, "settings": good})
    for method, path, body in (
        ("POST", "/providers", {**new, "settings": {**good, **settings}}),
        ("PATCH", f"/providers/{kept['id']}", {"settings": settings}),
    ):
        status, problem = await call(http, method, path, admin, body)
        assert status == 422, problem
        [error] = problem["errors"]
        assert error["field"] == field
        assert words in str(error)
    _, page = await call(http, "GET", f"/providers?tenant_id={tenant.id}", admin)
    assert page["data"] == [kept]


async def test_an_event_is_found_and_its_timeline_told(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """Found by tenant, type, recipient, time and both ids; nothing to send is told with its reason."""
    tenant = await create_tenant()
    event = {"eventType": "no.template", "eventId": "mine-1", "payload": {"userId": "u", "recipientEmail": "a@b.c"}}
    async with http.post("/api/v1/events/trigger", json=event, headers=tenant.headers) as answer:
        event_id = answer.headers["X-Event-Id"]

    async def finished() -> Any:
        status, body = await call(http, "GET", f"/events/{event_id}", admin)
        return body if status == 200 and body["finished_at"] else None

    told = await eventually(finished)
    steps = {step["step"]: step for step in told["timeline"]}
    assert steps["accepted"]["service"] == "ingest"
    assert any(step["reason"] == "no_active_template" for step in told["timeline"])
    for step in told["timeline"]:
        assert step["time"].endswith("Z")
        assert step["duration_ms"] >= 0
    for query in (
        f"tenant_id={tenant.id}",
        f"tenant_id={tenant.id}&event_type=no.template&recipient=a@b.c&since=2020-01-01",
        f"event_id={event_id}",
        f"tenant_id={tenant.id}&event_id=mine-1",
    ):
        _, page = await call(http, "GET", f"/events?{query}", admin)
        assert [found["id"] for found in page["data"]] == [event_id], query
    for query in (f"tenant_id={tenant.id}&event_type=x", f"tenant_id={tenant.id}&until=2020-01-01"):
        assert (await call(http, "GET", f"/events?{query}", admin))[1]["data"] == []
    assert (await call(http, "GET", f"/dead-letters?tenant_id={tenant.id}", admin))[1]["data"] == []


async def test_a_route_is_explained(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """What would become of an event, and why nothing."""
    tenant = await create_tenant()
    _, route = await call(http, "GET", f"/route-explain?tenant_id={tenant.id}&event_type=x&user_id=u", admin)
    assert route == {"deliveries": [], "reason": "no_active_template"}
