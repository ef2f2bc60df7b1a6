"""The polling API: a gateway before services that are played here."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from clarion.senders.v1 import endpoints_pb2 as parking_pb2
from runtime.ids import new_id
from tests.fakes.servicer_endpoints import NOW_US
from tests.integration.gateway.webhook_world import World, webhook_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """The gateway, two tenants, and what stands behind it."""
    async with webhook_world() as made:
        yield made


async def _create(world: World) -> dict[str, Any]:
    status, made = await world.admin("POST", f"/tenants/{world.tenant}/endpoints", {"mode": "polled"})
    assert status == 201, made
    created: dict[str, Any] = made
    return created


def _polled(**headers: str) -> parking_pb2.PolledDelivery:
    delivery = event_pb2.Delivery(id=new_id(), event_type="order.shipped", accepted_at_us=NOW_US)
    return parking_pb2.PolledDelivery(delivery=delivery, body=b'{"total": 100000000000000000001.0}', headers=headers)


async def test_a_receiver_polls_its_endpoint(world: World) -> None:
    """With a key that is only for that; the payload stands as it was accepted."""
    made = await _create(world)
    world.ingest.keys["poll-key"] = ingest_pb2.AuthenticateResponse(
        tenant_id=world.tenant, kind="poll", endpoint_ids=[made["id"]]
    )
    world.senders.polled.append(_polled(**{"webhook-id": "msg_1", "webhook-signature": "v1,x"}))
    headers = {"Authorization": "Bearer poll-key"}
    path = f"/api/v1/poll/{made['id']}"
    async with world.http.get(f"{path}?limit=5&cursor=c", headers=headers) as answer:
        assert answer.status == 200
        text = await answer.text()
    page = json.loads(text)
    assert (page["cursor"], page["done"], page["data"][0]["id"]) == ("next", True, "msg_1")
    assert '"payload":{"total": 100000000000000000001.0}' in text
    asked = world.senders.asked[-1]
    assert (asked.tenant_id, asked.endpoint_id, asked.cursor, asked.limit) == (world.tenant, made["id"], "c", 5)
    assert (await world.admin("POST", f"/tenants/{world.tenant}/endpoints/{made['id']}/poll", {}))[1] == page


@pytest.mark.parametrize(
    ("kind", "of", "status"),
    [("poll", "other", 404), ("poll", "none", 404), ("api", "own", 401), ("unknown", "own", 401)],
)
async def test_other_keys_do_not_poll(world: World, kind: str, of: str, status: int) -> None:
    """A key for another endpoint, for none by name, for sending events, and one that is unknown."""
    made = await _create(world)
    ids = {"own": [made["id"]], "other": [new_id()], "none": []}[of]
    if kind != "unknown":
        world.ingest.keys["key"] = ingest_pb2.AuthenticateResponse(tenant_id=world.tenant, kind=kind, endpoint_ids=ids)
    async with world.http.get(f"/api/v1/poll/{made['id']}", headers={"Authorization": "Bearer key"}) as answer:
        assert answer.status == status
        assert answer.content_type == "application/problem+json"
    assert not world.senders.asked


@pytest.mark.parametrize("query", ["limit=0", "limit=251", "cursor=", "since=x"])
async def test_a_query_that_is_none_is_refused(world: World, query: str) -> None:
    """With the field."""
    endpoint_id = new_id()
    world.ingest.keys["key"] = ingest_pb2.AuthenticateResponse(
        tenant_id=world.tenant, kind="poll", endpoint_ids=[endpoint_id]
    )
    path = f"/api/v1/poll/{endpoint_id}?{query}"
    async with world.http.get(path, headers={"Authorization": "Bearer key"}) as answer:
        assert answer.status == 422
        assert (await answer.json())["errors"][0]["field"] == query.partition("=")[0]
