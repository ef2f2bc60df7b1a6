"""What a tenant's sandboxes were given, for operators: page by page, and never another tenant's."""

from typing import Any

import aiohttp
import pytest

from runtime.ids import new_id
from tests.integration.gateway.conftest import CreateTenant, Tenant
from tests.waiting import eventually

BASE = "/api/v1/admin"


class Operator:
    """The operator's calls."""

    def __init__(self, http: aiohttp.ClientSession, headers: dict[str, str]) -> None:
        self._http = http
        self._headers = headers

    async def get(self, path: str) -> tuple[int, Any]:
        """Return the status and the body of a GET."""
        async with self._http.get(BASE + path, headers=self._headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def post(self, path: str, body: dict[str, Any]) -> None:
        """Make something."""
        async with self._http.post(BASE + path, headers=self._headers, json=body) as answer:
            assert answer.status == 201, await answer.text()

    async def outbox(self, tenant: Tenant, query: str = "") -> list[dict[str, Any]]:
        """Return a tenant's messages on one page."""
        status, page = await self.get(f"/tenants/{tenant.id}/outbox{query}")
        assert status == 200, page
        return list(page["data"])


@pytest.fixture
def operator(http: aiohttp.ClientSession, admin: dict[str, str]) -> Operator:
    """The operator's calls."""
    return Operator(http, admin)


@pytest.fixture
async def pair(operator: Operator, create_tenant: CreateTenant) -> tuple[Tenant, Tenant]:
    """Two tenants that send e-mail and text messages by their sandboxes."""
    tenants = (await create_tenant("Acorn"), await create_tenant("Beech"))
    for tenant in tenants:
        for channel, body in (("EMAIL", "<p>Hi {{name}}</p>"), ("SMS", "Hi {{name}}")):
            await operator.post("/providers", {"tenant_id": tenant.id, "channel": channel, "kind": "sandbox"})
            template = {"tenant_id": tenant.id, "event_type": "note", "channel": channel, "body": body}
            await operator.post("/templates", {**template, "subject": "Note" * (channel == "EMAIL"), "activate": True})
    return tenants


async def _trigger(http: aiohttp.ClientSession, tenant: Tenant, name: str) -> str:
    event = {
        "eventType": "note",
        "payload": {"userId": "u1", "recipientEmail": "ada@example.com", "recipientPhone": "+254712345678"},
        "variables": {"name": name},
    }
    async with http.post("/api/v1/events/trigger", json=event, headers=tenant.headers) as answer:
        assert answer.status == 200, await answer.text()
        return answer.headers["X-Event-Id"]


async def _sent(operator: Operator, tenant: Tenant, event_id: str) -> list[dict[str, Any]]:
    async def both() -> list[dict[str, Any]]:
        found = await operator.outbox(tenant, f"?event_id={event_id}")
        return found if len(found) == 2 else []

    messages: list[dict[str, Any]] = await eventually(both)
    return messages


async def test_a_tenants_messages(operator: Operator, http: aiohttp.ClientSession, pair: tuple[Tenant, Tenant]) -> None:
    """All of them newest first, one event's, one channel's; page by page without gaps."""
    tenant, _ = pair
    events = [await _trigger(http, tenant, name) for name in ("Ada", "Grace")]
    messages = [message for event_id in events for message in await _sent(operator, tenant, event_id)]
    email = next(one for one in messages if one["channel"] == "EMAIL" and one["event_id"] == events[0])
    assert email == {
        "id": email["id"],
        "event_id": events[0],
        "delivery_id": email["delivery_id"],
        "channel": "EMAIL",
        "recipient": "ada@example.com",
        "sender": email["sender"],
        "reply_to": None,
        "subject": "Note",
        "text": "Hi Ada",
        "via": "sandbox",
        "trace_id": email["trace_id"],
        "recorded_at": email["recorded_at"],
    }
    whole = await operator.outbox(tenant)
    assert {one["id"] for one in whole} == {one["id"] for one in messages}
    assert [int(one["id"]) for one in whole] == sorted((int(one["id"]) for one in whole), reverse=True)
    assert {one["text"] for one in await operator.outbox(tenant, "?channel=SMS")} == {"Hi Ada", "Hi Grace"}
    paged, more = [], ""
    while True:
        status, page = await operator.get(f"/tenants/{tenant.id}/outbox?limit=1{more}")
        assert status == 200
        paged += page["data"]
        if not page["next_cursor"]:
            break
        more = f"&cursor={page['next_cursor']}"
    assert paged == whole


async def test_one_message_is_whole(
    operator: Operator, http: aiohttp.ClientSession, pair: tuple[Tenant, Tenant]
) -> None:
    """With the HTML of a mail, and none of a text message."""
    tenant, _ = pair
    for message in await _sent(operator, tenant, await _trigger(http, tenant, "Ada")):
        status, whole = await operator.get(f"/tenants/{tenant.id}/outbox/{message['id']}")
        assert status == 200
        html = whole.pop("html")
        assert whole == message
        assert ("<p>Hi Ada</p>" in html) if message["channel"] == "EMAIL" else html is None


async def test_another_tenants_messages_are_not_there(
    operator: Operator, http: aiohttp.ClientSession, pair: tuple[Tenant, Tenant]
) -> None:
    """Neither in the list, nor by the event's id, nor by the message's."""
    acorn, beech = pair
    event_id = await _trigger(http, acorn, "Ada")
    message, *_ = await _sent(operator, acorn, event_id)
    assert await operator.outbox(beech) == []
    assert await operator.outbox(beech, f"?event_id={event_id}") == []
    assert (await operator.get(f"/tenants/{beech.id}/outbox/{message['id']}"))[0] == 404


async def test_what_is_not_there_and_what_is_wrong(
    operator: Operator, http: aiohttp.ClientSession, create_tenant: CreateTenant
) -> None:
    """404 for a tenant or a message, 422 for a query, 401 without a token."""
    tenant = await create_tenant()
    assert await operator.outbox(tenant) == []
    assert await operator.outbox(tenant, f"?event_id={new_id()}") == []
    assert (await operator.get(f"/tenants/{new_id()}/outbox"))[0] == 404
    for message_id in ("1", "x", "9" * 40, "%00"):
        assert (await operator.get(f"/tenants/{tenant.id}/outbox/{message_id}"))[0] == 404, message_id
    for query in ("?limit=0", "?limit=101", "?limit=x", "?cursor=x", "?channel=PIGEON"):
        assert (await operator.get(f"/tenants/{tenant.id}/outbox{query}"))[0] == 422, query
    for path in ("", "/1"):
        async with http.get(f"{BASE}/tenants/{tenant.id}/outbox{path}") as answer:
            assert answer.status == 401
