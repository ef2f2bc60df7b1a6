"""An event with several recipients by the admin API: shown, replayed, exported and erased for one of them."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import aiohttp
import pytest

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2, ingest_pb2_grpc
from runtime.grpc import Caller, channel
from stack.client import Running
from tests.integration.gateway.conftest import CreateTenant
from tests.waiting import eventually

USERS = ("ada", "bob", "eve")
Call: TypeAlias = Callable[..., Awaitable[Any]]


@pytest.fixture
def call(http: aiohttp.ClientSession, admin: dict[str, str]) -> Call:
    """Return what calls the admin API and returns the body of a success."""

    async def calling(method: str, path: str, body: Any = None) -> Any:
        async with http.request(method, f"/api/v1/admin{path}", json=body, headers=admin) as answer:
            found = await answer.json()
            assert answer.status < 300, found
            return found

    return calling


async def _finished(call: Call, event_id: str) -> dict[str, Any]:
    async def found() -> Any:
        events = (await call("GET", f"/events?event_id={event_id}"))["data"]
        return events[0] if events and events[0]["finished_at"] and events[0]["accepted_at"] else None

    event: dict[str, Any] = await eventually(found)
    return event


async def test_one_of_several_recipients(call: Call, local_stack: Running, create_tenant: CreateTenant) -> None:
    """Each has their deliveries; a replay, an export and an erasure of one leave the others alone."""
    tenant = await create_tenant()
    variables = local_stack.variables
    targets = [
        event_pb2.Target(recipient=event_pb2.Recipient(user_id=user, email=f"{user}@example.org")) for user in USERS
    ]
    new = ingest_pb2.NewEvent(
        event_type="global.success", audience=targets, variables=b'{"title": "Hello", "message": "All of you"}'
    )
    async with channel(variables["CLARION_INGEST_ADDRESS"]) as ingest:
        request = ingest_pb2.AcceptEventsRequest(items=[ingest_pb2.AcceptItem(tenant_id=tenant.id, event=new)])
        accept = ingest_pb2_grpc.IngestServiceStub(ingest).AcceptEvents
        (result,) = (await Caller(variables["CLARION_SERVICE_TOKEN"])(accept, request, deadline=30)).results
    event_id = result.accepted.event_id
    event = await _finished(call, event_id)
    assert (event["recipient"], event["several_recipients"]) == (None, True)
    assert event["delivery_count"] == sum(event["counts"].values()) == len(event["deliveries"])

    page = await call("GET", f"/events/{event_id}/deliveries?limit=100")
    assert sorted({one["recipient"]["user_id"] for one in page["data"]}) == list(USERS)
    mine = await call("GET", f"/events/{event_id}/deliveries?recipient=bob@example.org")
    assert {one["recipient"]["user_id"] for one in mine["data"]} == {"bob"}
    assert len(mine["data"]) * len(USERS) == event["delivery_count"]
    one = await call("GET", f"/deliveries/{mine['data'][0]['id']}")
    assert (one["event_id"], one["tenant_id"], one["recipient"]["email"]) == (event_id, tenant.id, "bob@example.org")
    assert one["timeline"][0]["delivery_id"] == one["id"]

    replay = await call("POST", f"/events/{event_id}/replay", {"recipients": ["bob"]})
    await _finished(call, replay["event_id"])
    again = await call("GET", f"/events/{replay['event_id']}/deliveries")
    assert {found["recipient"]["user_id"] for found in again["data"]} == {"bob"}

    path = f"/tenants/{tenant.id}/recipients"
    erased = await call("POST", f"{path}/erase", {"user_id": "bob"})
    assert erased["complete"]
    exported = (await call("POST", f"{path}/export", {"user_id": "ada"}))["events"]
    assert [found["id"] for found in exported] == [event_id]
    assert exported[0]["variables"] == {"title": "Hello", "message": "All of you"}
    assert {found["recipient"]["user_id"] for found in exported[0]["deliveries"]} == {"ada"}
    assert not (await call("POST", f"{path}/export", {"user_id": "bob"}))["events"]
    left = await call("GET", f"/events/{event_id}/deliveries?limit=100")
    people = sorted({found["recipient"]["user_id"] for found in left["data"]})
    assert people[:1] + people[2:] == ["ada", "eve"]
    assert people[1] == f"erased:{erased['erasure_id']}"
    assert not any("bob" in str(found) for found in left["data"])
