"""Realtime tokens and inboxes on real services: whose they are, and whose they are not."""

from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from tests.integration.gateway.conftest import CreateTenant, Tenant
from tests.waiting import eventually

ODD_IDS = [
    "x,victim",
    "a#b",
    "a:b",
    "..",
    "../..",
    "a/b",
    "a?b",
    "%2F",
    "100%",
    "a+b c",
    "ü😀",
    "*",
    "a;b=c",
    "a&b",
    "a{b}",
    "{user_id}",
]
DENIED = {"success": False, "message": "Notification not found or access denied."}


async def token_of(http: aiohttp.ClientSession, tenant: Tenant, user_id: str) -> dict[str, Any]:
    """Return a user's {"token", "channels"}."""
    path = "/api/v1/auth/realtime-token"
    async with http.post(path, json={"userId": user_id}, headers=tenant.headers) as answer:
        assert answer.status == 200
        body: dict[str, Any] = await answer.json()
        return body


async def ask(
    http: aiohttp.ClientSession, path: str, headers: dict[str, str], method: str = "GET"
) -> tuple[int, dict[str, Any]]:
    """Return status and body; the path goes out exactly as given."""
    url = URL(f"{str(http._base_url).rstrip('/')}{path}", encoded=True)
    async with http.request(method, url, headers=headers) as answer:
        return answer.status, await answer.json()


def bearer(token: str) -> dict[str, str]:
    """Return what a browser shows."""
    return {"Authorization": f"Bearer {token}"}


async def test_a_token_names_no_tenant_and_no_user(http: aiohttp.ClientSession, create_tenant: CreateTenant) -> None:
    """No wrapper, channels of an opaque principal, another one for the same id in another tenant."""
    first, second = await create_tenant("A"), await create_tenant("B")
    mine, theirs = await token_of(http, first, "victim"), await token_of(http, second, "victim")
    assert set(mine) == {"token", "channels"}
    assert mine["channels"][0].startswith("global_system#")
    assert not any("victim" in channel for channel in mine["channels"])
    assert not set(mine["channels"]) & set(theirs["channels"])


async def test_an_unknown_key_gets_no_token(http: aiohttp.ClientSession) -> None:
    """401 without a key, 422 without a user."""
    async with http.post("/api/v1/auth/realtime-token", json={"userId": "u"}) as answer:
        assert answer.status == 401


async def test_a_token_needs_a_user(http: aiohttp.ClientSession, create_tenant: CreateTenant) -> None:
    """422 without one, and for what is no id."""
    tenant = await create_tenant()
    for body in ({}, {"userId": ""}, {"userId": 7}):
        async with http.post("/api/v1/auth/realtime-token", json=body, headers=tenant.headers) as answer:
            assert answer.status == 422
            assert "userId" in (await answer.json())["message"]


@pytest.mark.parametrize("user_id", ODD_IDS)
async def test_odd_ids_arrive_as_they_are(
    http: aiohttp.ClientSession, create_tenant: CreateTenant, user_id: str
) -> None:
    """A token opens the inbox of exactly its user's id, through the path's encoding."""
    tenant = await create_tenant()
    token = (await token_of(http, tenant, user_id))["token"]
    # A segment of dots alone would be walked away by clients, so the dots are encoded like the rest.
    path = tenant.inbox(quote(user_id, safe="").replace(".", "%2E"))
    assert await ask(http, path, bearer(token)) == (200, {"success": True, "data": []})
    assert await ask(http, path, tenant.headers) == (200, {"success": True, "data": []})
    for other in ("x", "victim", "a", "b", quote(user_id, safe="") + "x"):
        status, _ = await ask(http, tenant.inbox(other), bearer(token))
        assert status == 401, other


async def test_a_key_opens_its_own_tenant_only(http: aiohttp.ClientSession, create_tenant: CreateTenant) -> None:
    """Another tenant's path is answered as if nothing were there, whether it exists or not."""
    mine, theirs = await create_tenant("A"), await create_tenant("B")
    nobody = Tenant("01a1fe7a-0000-7000-8000-000000000000", "", "")
    for other in (theirs, nobody):
        assert await ask(http, other.inbox("u"), mine.headers) == (200, {**DENIED, "data": []})
        assert await ask(http, other.inbox("u", "/unread-count"), mine.headers) == (200, {**DENIED, "unread": 0})
        assert await ask(http, other.inbox("u", "/n/read"), mine.headers, "PUT") == (200, DENIED)


async def test_a_token_opens_its_own_user_only(http: aiohttp.ClientSession, create_tenant: CreateTenant) -> None:
    """The same user id in another tenant, another user, no token, a broken one: 401."""
    mine, theirs = await create_tenant("A"), await create_tenant("B")
    token = (await token_of(http, mine, "victim"))["token"]
    assert (await ask(http, mine.inbox("victim"), bearer(token)))[0] == 200
    for path in (theirs.inbox("victim"), mine.inbox("other"), mine.inbox("victim%00")):
        assert (await ask(http, path, bearer(token)))[0] == 401
    for wrong in ("", "x", token[:-3], "é" * 3, f"{token}x"):
        headers = {"Authorization": f"Bearer {wrong}"}
        assert (await ask(http, mine.inbox("victim"), headers))[0] == 401
    assert (await ask(http, mine.inbox("victim"), {}))[0] == 401


async def test_a_revoked_token_opens_nothing(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """The operator ends a user's tokens; a new one works, on other channels, and a neighbour's never ended."""
    tenant = await create_tenant()
    old, neighbour = await token_of(http, tenant, "u"), await token_of(http, tenant, "v")
    path = f"/api/v1/admin/tenants/{tenant.id}/revoke-tokens"
    async with http.post(path, json={"user_id": "u"}, headers=admin) as answer:
        assert answer.status == 204
    assert (await ask(http, tenant.inbox("u"), bearer(old["token"])))[0] == 401
    new = await token_of(http, tenant, "u")
    assert not set(new["channels"]) & set(old["channels"])
    assert (await ask(http, tenant.inbox("u"), bearer(new["token"])))[0] == 200
    assert (await ask(http, tenant.inbox("v"), bearer(neighbour["token"])))[0] == 200


@pytest.mark.parametrize(
    "wrong",
    [
        *("limit=ten", "limit=0", "limit=-1", "limit=1001", "limit=", "limit=1&limit=2", "limit=9999999999999999999"),
        *("offset=1.5", "offset=-3", "offset=10001", "offset=", "offset", "page=2", "Limit=5", "cursor=x", "_=1"),
    ],
)
async def test_a_wrong_query_is_refused(http: aiohttp.ClientSession, create_tenant: CreateTenant, wrong: str) -> None:
    """In the dialect's shape, naming the parameter; nothing is brought into range, or ignored. The key comes first."""
    tenant = await create_tenant()
    name = wrong.partition("=")[0]
    for headers, expected in ((tenant.headers, 422), ({"x-api-key": "unknown"}, 401)):
        status, body = await ask(http, tenant.inbox("u", f"?{wrong}"), headers)
        assert (status, set(body)) == (expected, {"statusCode", "error", "message"})
        assert expected == 401 or (body["error"] == "Validation Error" and body["message"].startswith(f"{name} "))


async def test_both_numbers_of_a_page_are_named(http: aiohttp.ClientSession, create_tenant: CreateTenant) -> None:
    """Every fault in one message."""
    tenant = await create_tenant()
    _, body = await ask(http, tenant.inbox("u", "?limit=x&offset=y"), tenant.headers)
    expected = "limit must be a whole number from 1 to 1,000; offset must be a whole number from 0 to 10,000"
    assert body["message"] == expected
    assert (await ask(http, tenant.inbox("u", "?limit=1000&offset=10000"), tenant.headers))[0] == 200


async def test_no_other_call_takes_a_query(http: aiohttp.ClientSession, create_tenant: CreateTenant) -> None:
    """What is meant to narrow an event, or a count, must not be ignored."""
    tenant = await create_tenant()
    token, event = "/api/v1/auth/realtime-token?userId=u", "/api/v1/events/trigger?channels=EMAIL"
    bodies = {token: {"userId": "u"}, event: {"eventType": "x", "payload": {"userId": "u"}}}
    for path, sent in bodies.items():
        async with http.post(path, json=sent, headers=tenant.headers) as answer:
            body = await answer.json()
        assert (answer.status, body["message"].partition(" ")[0]) == (422, path.partition("?")[2].partition("=")[0])
    for method, path in (("GET", "/unread-count?since=1"), ("PUT", "/n/read?at=1")):
        assert (await ask(http, tenant.inbox("u", path), tenant.headers, method))[0] == 422


async def test_a_key_with_scopes_opens_no_inbox(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """403 for each way in, and no token for anybody; a further key without scopes opens all."""
    tenant = await create_tenant()
    for scopes, status in ((["marketing"], 403), ([], 200)):
        new = {"name": "k", "scopes": scopes}
        async with http.post(f"/api/v1/admin/tenants/{tenant.id}/keys", json=new, headers=admin) as answer:
            key = {"x-api-key": (await answer.json())["api_key"]}
        async with http.post("/api/v1/auth/realtime-token", json={"userId": "ceo"}, headers=key) as answer:
            body = await answer.json()
        assert (answer.status, "token" in body) == (status, status == 200)
        for method, path in (("GET", ""), ("GET", "/unread-count"), ("PUT", "/n/read")):
            found, body = await ask(http, tenant.inbox("ceo", path), key, method)
            assert (found, body.get("error")) == (status, "Forbidden" if status == 403 else None)


async def test_an_inbox_remembers(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """A push is listed as UNREAD, counted, marked by its owner alone, then READ."""
    mine, theirs = await create_tenant("A"), await create_tenant("B")
    template = {
        "tenant_id": mine.id,
        "event_type": "order.confirmed",
        "channel": "PUSH",
        "subject": "Order {{n}}",
        "body": "Thanks, {{name}}",
        "push_namespace": "orders",
        "activate": True,
    }
    async with http.post("/api/v1/admin/templates", json=template, headers=admin) as answer:
        assert answer.status == 201, await answer.text()
    event = {"eventType": "order.confirmed", "payload": {"userId": "a:b"}, "variables": {"n": 7, "name": "Ada"}}
    async with http.post("/api/v1/events/trigger", json=event, headers=mine.headers) as answer:
        assert answer.status == 200

    async def listed() -> list[dict[str, Any]]:
        _, body = await ask(http, mine.inbox("a%3Ab"), mine.headers)
        found: list[dict[str, Any]] = body["data"]
        return found

    [notification] = await eventually(listed)
    assert set(notification) == {"id", "type", "title", "body", "status", "created_at"}
    assert notification["type"] == "order.confirmed"
    assert notification["title"] == "Order 7"
    assert notification["body"] == "Thanks, Ada"
    assert notification["status"] == "UNREAD"
    assert notification["created_at"].endswith("Z")
    assert await ask(http, mine.inbox("a%3Ab", "/unread-count"), mine.headers) == (200, {"success": True, "unread": 1})

    read = f"/{notification['id']}/read"
    for path, headers in (
        (theirs.inbox("a%3Ab", read), theirs.headers),
        (mine.inbox("a%3Ab", read), theirs.headers),
        (mine.inbox("a", read), mine.headers),
        (mine.inbox("a%3Ab", "/01a1fe7a-0000-7000-8000-000000000000/read"), mine.headers),
        (mine.inbox("a%3Ab", "/nonsense%00/read"), mine.headers),
    ):
        assert await ask(http, path, headers, "PUT") == (200, DENIED)
    assert (await listed())[0]["status"] == "UNREAD"
    token = (await token_of(http, mine, "a:b"))["token"]
    assert await ask(http, mine.inbox("a%3Ab", read), bearer(token), "PUT") == (200, {"success": True})
    assert (await listed())[0]["status"] == "READ"
    assert (await ask(http, mine.inbox("a%3Ab", "/unread-count"), bearer(token)))[1]["unread"] == 0
