"""A recipient's export by the admin API: whatever JSON was accepted can be shown."""

import json
from typing import Any

import aiohttp

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2, ingest_pb2_grpc
from runtime.grpc import Caller, channel
from stack.client import Running
from tests.integration.gateway.conftest import CreateTenant
from tests.waiting import eventually

HUGE = 2**64
DEEP = b'{"deep":' + b"[" * 300 + b"]" * 300 + b"}"


async def test_any_json_is_exported(
    http: aiohttp.ClientSession, admin: dict[str, str], local_stack: Running, create_tenant: CreateTenant
) -> None:
    """Numbers of any size, and a depth that was let in once: as they were sent, not as a fault for ever."""
    tenant = await create_tenant()
    event = {"eventType": "a", "payload": {"userId": "u", "size": HUGE}, "variables": {"n": HUGE}}
    async with http.post("/api/v1/events/trigger", json=event, headers=tenant.headers) as answer:
        assert answer.status == 200
    variables = local_stack.variables
    async with channel(variables["CLARION_INGEST_ADDRESS"]) as ingest:
        item = ingest_pb2.AcceptItem(
            tenant_id=tenant.id,
            event=ingest_pb2.NewEvent(
                event_type="b", recipient=event_pb2.Recipient(user_id="u"), variables=DEEP, payload_extra=b"{}"
            ),
        )
        accept = ingest_pb2_grpc.IngestServiceStub(ingest).AcceptEvents
        caller = Caller(variables["CLARION_SERVICE_TOKEN"])
        (result,) = (await caller(accept, ingest_pb2.AcceptEventsRequest(items=[item]), deadline=30)).results
        assert result.HasField("accepted")

    async def exported() -> dict[str, Any] | None:
        path = f"/api/v1/admin/tenants/{tenant.id}/recipients/export"
        async with http.post(path, json={"user_id": "u"}, headers=admin) as answer:
            body = await answer.json()
            assert answer.status == 200, body
        found = {one["event_type"]: one for one in body["events"] if one["variables"] is not None}
        return found if len(found) == 2 else None

    found = await eventually(exported)
    assert (found["a"]["variables"], found["a"]["payload"]) == ({"n": HUGE}, {"size": HUGE})
    assert found["b"]["variables"] == json.loads(DEEP)
