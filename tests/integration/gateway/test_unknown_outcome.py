"""Sending by a dialect while nobody knows whether an event was stored: ingest is played here."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from clarion.ingest.v1 import ingest_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from tests.integration.gateway.webhook_world import World, webhook_world

_ENDPOINT = "ep_01a2285b6330726e947f5d759db2f99d"
_PAYLOAD: dict[str, Any] = {"payload": {"n": 1}}
_KEYED = {**_PAYLOAD, "idempotencyKey": "k"}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Ingest answers that it does not know."""
    async with webhook_world() as made:
        key = ingest_pb2.AuthenticateResponse(tenant_id=made.tenant, kind="nahook", key_id=new_id())
        made.ingest.keys["key"] = key
        error = ClarionError(Code.UNAVAILABLE, "The broker does not answer.", retry_after=3)
        made.ingest.result = ingest_pb2.AcceptResult(error=error.to_proto())
        yield made


async def send(world: World, path: str, body: object) -> tuple[int, Any, str]:
    """Return status, body and Retry-After."""
    headers = {"Authorization": "Bearer key"}
    async with world.http.post(f"/api/ingest{path}", json=body, headers=headers) as answer:
        return answer.status, await answer.json(), answer.headers.get("Retry-After", "")


@pytest.mark.parametrize(
    ("path", "body", "may_repeat"),
    [("/event/order.paid", _PAYLOAD, 1), (f"/{_ENDPOINT}", _PAYLOAD, 1), (f"/{_ENDPOINT}", _KEYED, 0)],
)
async def test_an_event_that_may_have_been_stored(world: World, path: str, body: object, may_repeat: int) -> None:
    """The error says so, unless the request has an idempotency key, with which it can be repeated safely."""
    status, answer, retry_after = await send(world, path, body)
    assert (status, answer["error"]["code"], retry_after) == (503, "unavailable", "3")
    assert answer["error"]["message"].count("may have been accepted") == may_repeat


async def test_items_that_may_have_been_stored(world: World) -> None:
    """Each item for itself."""
    items = [{"eventType": "order.paid", **_PAYLOAD}]
    status, answer, _ = await send(world, "/event/batch", {"items": items})
    assert (status, answer["items"][0]["error"]["code"]) == (207, "unavailable")
    assert "may have been accepted" in answer["items"][0]["error"]["message"]
    items = [{"endpointId": _ENDPOINT, **_PAYLOAD}, {"endpointId": _ENDPOINT, **_KEYED}]
    _, answer, _ = await send(world, "/batch", {"items": items})
    assert ["may have been accepted" in one["error"]["message"] for one in answer["items"]] == [True, False]
