"""POST /api/v1/events/trigger on real services: the contract's table, row by row."""

import asyncio
import gzip
import io
import json
from typing import Any

import aiohttp
import pytest

from runtime.ids import is_uuid
from tests.integration.gateway.conftest import CreateTenant, Tenant
from tests.waiting import eventually

PATH = "/api/v1/events/trigger"
EVENT: dict[str, Any] = {"eventType": "order.confirmed", "payload": {"userId": "u1"}, "variables": {"n": 1}}


async def trigger(
    http: aiohttp.ClientSession, tenant: Tenant, body: Any = EVENT, **headers: str
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Return status, body and headers of one trigger; a body of bytes goes out as it is."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **tenant.headers, **headers}
    async with http.post(PATH, data=io.BytesIO(raw), headers=sent) as answer:
        return answer.status, await answer.json(), dict(answer.headers)


async def test_an_event_is_accepted(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """The literal sentence, the event's id, and the caller's trace id from the answer to the ledger."""
    tenant = await create_tenant("Acorn Shop")
    status, body, headers = await trigger(http, tenant, **{"X-Trace-Id": "my-trace"})
    assert status == 200
    assert body == {"success": True, "message": "Event order.confirmed dispatched securely for Acorn Shop"}
    assert is_uuid(headers["X-Event-Id"])
    assert headers["X-Trace-Id"] == "my-trace"

    async def recorded() -> dict[str, Any] | None:
        async with http.get(f"/api/v1/admin/events/{headers['X-Event-Id']}", headers=admin) as answer:
            found: dict[str, Any] = await answer.json()
            return found if answer.status == 200 else None

    event = await eventually(recorded)
    assert event["trace_id"] == "my-trace"
    assert event["tenant_id"] == tenant.id
    assert event["recipient"]["user_id"] == "u1"


async def test_the_same_event_twice_is_one(http: aiohttp.ClientSession, create_tenant: CreateTenant) -> None:
    """The same answer, the same id; another user's order, or another order of the same user, is another event."""
    tenant = await create_tenant()
    first = await trigger(http, tenant)
    again = await trigger(http, tenant, {**EVENT, "variables": {"n": 1}, "payload": {"userId": "u1"}})
    assert again[1] == first[1]
    assert again[2]["X-Event-Id"] == first[2]["X-Event-Id"]
    other = await trigger(http, tenant, {**EVENT, "variables": {"n": 2}})
    assert other[2]["X-Event-Id"] != first[2]["X-Event-Id"]


async def test_a_repeat_gets_the_first_answer(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """Marked, with the first one's type and id whatever it asks for; the first event's timeline says what it was."""
    tenant = await create_tenant("Acorn Shop")
    key = {"X-Idempotency-Key": "k"}
    first = await trigger(http, tenant, **key)
    again = await trigger(http, tenant, **key)
    other = await trigger(http, tenant, {**EVENT, "eventType": "second.type"}, **key)
    assert "Idempotent-Replayed" not in first[2]
    for status, body, headers in (again, other):
        assert (status, body) == first[:2]
        assert headers["X-Event-Id"] == first[2]["X-Event-Id"]
        assert headers["Idempotent-Replayed"] == "true"

    async def repeated() -> dict[str, Any] | None:
        async with http.get(f"/api/v1/admin/events/{first[2]['X-Event-Id']}", headers=admin) as answer:
            event: dict[str, Any] = await answer.json()
        return next((step for step in event.get("timeline", []) if step["step"] == "repeated"), None)

    step = await eventually(repeated)
    assert (step["outcome"], step["reason"]) == ("skipped", "body_differs")
    assert "second.type" in step["detail"]
    async with http.get(f"/api/v1/admin/events?tenant_id={tenant.id}", headers=admin) as answer:
        events = (await answer.json())["data"]
    assert [(event["id"], event["event_type"]) for event in events] == [(first[2]["X-Event-Id"], "order.confirmed")]


async def test_a_repeat_without_a_key_is_marked_too(http: aiohttp.ClientSession, create_tenant: CreateTenant) -> None:
    """Its content is its key."""
    tenant = await create_tenant()
    answers = [await trigger(http, tenant) for _ in range(2)]
    assert answers[0][1] == answers[1][1]
    assert [headers.get("Idempotent-Replayed") for _, _, headers in answers] == [None, "true"]


async def test_a_key_names_one_event_for_a_hundred_at_once(
    http: aiohttp.ClientSession, create_tenant: CreateTenant
) -> None:
    """A hundred concurrent triggers with one X-Idempotency-Key are one event."""
    tenant = await create_tenant()
    calls = (trigger(http, tenant, {**EVENT, "variables": {"n": n}}, **{"X-Idempotency-Key": "k"}) for n in range(100))
    answers = await asyncio.gather(*calls)
    assert {status for status, _, _ in answers} == {200}
    assert len({headers["X-Event-Id"] for _, _, headers in answers}) == 1


@pytest.mark.parametrize(
    ("body", "headers", "status", "error", "named"),
    [
        (b"{", {}, 400, "Bad Request", "JSON"),
        (b"", {}, 400, "Bad Request", "JSON"),
        ([], {}, 422, "Validation Error", "body"),
        ({}, {}, 422, "Validation Error", "eventType"),
        ({"eventType": "x"}, {}, 422, "Validation Error", "payload"),
        ({"eventType": "x", "payload": {}}, {}, 422, "Validation Error", "payload.userId"),
        ({"eventType": "x", "payload": {"userId": 7}}, {}, 422, "Validation Error", "payload.userId"),
        ({**EVENT, "channels": ["FAX"]}, {}, 422, "Validation Error", "channels[0]"),
        ({**EVENT, "variables": []}, {}, 422, "Validation Error", "variables"),
        (EVENT, {"X-Idempotency-Key": "a b"}, 422, "Validation Error", "X-Idempotency-Key"),
        (EVENT, {"Content-Type": "text/plain"}, 415, "Unsupported Media Type", "application/json"),
        (gzip.compress(b"{}", mtime=0), {"Content-Encoding": "gzip"}, 415, "Unsupported Media Type", "compressed"),
        (b'"' + b"x" * 2_000_000 + b'"', {}, 413, "Payload Too Large", "262144"),
        (EVENT, {"x-api-key": "unknown"}, 401, "Unauthorized", "credentials"),
        (EVENT, {"x-api-key": ""}, 401, "Unauthorized", "credentials"),
        (b"{", {"x-api-key": "unknown"}, 401, "Unauthorized", "credentials"),
    ],
)
async def test_bad_input_gets_its_answer(
    http: aiohttp.ClientSession,
    create_tenant: CreateTenant,
    body: Any,
    headers: dict[str, str],
    status: int,
    error: str,
    named: str,
) -> None:
    """Each fault has its status and words, and the next good request is taken."""
    tenant = await create_tenant()
    answer = await trigger(http, tenant, body, **headers)
    assert answer[0] == answer[1]["statusCode"] == status
    assert answer[1]["error"] == error
    assert isinstance(answer[1]["message"], str)
    assert named in answer[1]["message"]
    assert (await trigger(http, tenant))[0] == 200


async def test_a_chunked_body_is_bounded_too(http: aiohttp.ClientSession, create_tenant: CreateTenant) -> None:
    """A body that does not say how long it is ends at the same bound."""
    tenant = await create_tenant()

    async def chunks() -> Any:
        for _ in range(30):
            yield b" " * 10_000

    sent = {"Content-Type": "application/json", **tenant.headers}
    async with http.post(PATH, data=chunks(), headers=sent) as answer:
        assert answer.status == 413


async def test_a_key_ends_when_it_is_rotated(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """The new key works at once, the old one no more."""
    tenant = await create_tenant()
    assert (await trigger(http, tenant))[0] == 200
    async with http.post(f"/api/v1/admin/tenants/{tenant.id}/rotate-key", headers=admin) as answer:
        rotated = Tenant(tenant.id, tenant.name, (await answer.json())["api_key"])
    assert (await trigger(http, rotated))[0] == 200

    async def is_refused() -> bool:
        return (await trigger(http, tenant))[0] == 401

    await eventually(is_refused)


async def test_an_inactive_tenant_is_refused_like_an_unknown_key(
    http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """Deactivated: the same 401 as for no tenant at all; activated again: accepted."""
    tenant = await create_tenant()
    path = f"/api/v1/admin/tenants/{tenant.id}"
    async with http.delete(path, headers=admin) as answer:
        assert (await answer.json())["active"] is False

    async def refusal() -> dict[str, Any] | None:
        status, body, _ = await trigger(http, tenant)
        return body if status == 401 else None

    assert await eventually(refusal) == (await trigger(http, Tenant("", "", "unknown")))[1]
    async with http.patch(path, json={"active": True}, headers=admin) as answer:
        assert (await answer.json())["active"] is True

    async def is_taken() -> bool:
        return (await trigger(http, tenant))[0] == 200

    await eventually(is_taken)


async def test_a_further_key(http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant) -> None:
    """It sends within its scopes beside the tenant's own key, is listed without its secret, and ends when revoked."""
    tenant = await create_tenant()
    path = f"/api/v1/admin/tenants/{tenant.id}/keys"
    made = {}
    for scopes in (["live"], ["live", "test"]):
        body = {"name": "nightly import", "scopes": scopes, "expires_at": "2999-01-01T00:00:00Z"}
        async with http.post(path, json=body, headers=admin) as answer:
            assert answer.status == 201
            made[len(scopes)] = await answer.json()
    one, two = (Tenant(tenant.id, tenant.name, made[number]["api_key"]) for number in (1, 2))
    assert (await trigger(http, one))[0] == 200
    status, body, _ = await trigger(http, two)  # this API cannot say which
    assert (status, body["error"]) == (403, "Forbidden")
    assert "live, test" in body["message"]

    async with http.get(path, headers=admin) as answer:
        listed = await answer.json()
    assert listed == {
        "data": [{name: value for name, value in made[number].items() if name != "api_key"} for number in (2, 1)],
        "next_cursor": None,
    }
    assert listed["data"][0]["expires_at"] == "2999-01-01T00:00:00.000000Z"
    async with http.delete(f"{path}/{made[1]['id']}", headers=admin) as answer:
        assert answer.status == 204

    async def is_refused() -> bool:
        return (await trigger(http, one))[0] == 401

    await eventually(is_refused)
    assert (await trigger(http, tenant))[0] == 200
