"""Trigger, "Response" and "Partial fan-out"."""

import re
from typing import Any

from checks.waiting import until
from tests.conformance.nahook.conftest import END_S, PAYLOAD, Target, Workspace

_FIELDS = {"eventTypeId", "deliveryIds", "status", "failures"}


async def full_endpoint(workspace: Workspace, event_type: str) -> Target:
    """Return an endpoint that subscribes to the type and can take no more: its owner reads nothing of it."""
    await workspace.change(max_parked_per_endpoint=1)
    path = f"/tenants/{workspace.tenant.id}/endpoints"
    made = await workspace.client.operator.must("POST", path, json={"mode": "polled"})
    target = Target(workspace, "", {"id": "ep_" + made["id"].replace("-", "")})
    type_id = await workspace.event_type(event_type)
    await workspace.must("POST", f"/endpoints/{target.id}/subscriptions", {"eventTypeIds": [type_id]})

    async def is_full() -> bool:
        return bool((await workspace.trigger(event_type))["failures"])

    await until(is_full, "a full endpoint", deadline=END_S, every=0.2)
    return target


async def test_202_accepted(workspace: Workspace) -> None:
    """The published fields and no others."""
    for _ in range(3):
        await workspace.endpoint("order.paid")
    answer = await workspace.send("/event/order.paid", {"payload": PAYLOAD})
    assert answer.status == 202
    assert answer.headers["Content-Type"].startswith("application/json")
    body: dict[str, Any] = answer.body
    assert set(body) == _FIELDS
    assert (len(body["deliveryIds"]), body["status"], body["failures"]) == (3, "accepted", [])


async def test_event_type_id(workspace: Workspace) -> None:
    """The internal id of the type, as the management API has it."""
    type_id = await workspace.event_type("order.paid")
    assert re.fullmatch(r"evt_\w+", type_id)
    assert (await workspace.trigger("order.paid"))["eventTypeId"] == type_id


async def test_delivery_ids(workspace: Workspace) -> None:
    """One for each endpoint that something is queued for; each can be looked up."""
    targets = {(await workspace.endpoint("order.paid")).id for _ in range(2)}
    told = await workspace.trigger("order.paid")
    assert all(re.fullmatch(r"del_\w+", one) for one in told["deliveryIds"])
    found = [await workspace.delivery(one, "delivered") for one in told["deliveryIds"]]
    assert {one["endpointId"] for one in found} == targets


async def test_status_is_always_accepted(workspace: Workspace) -> None:
    """With subscribers and without."""
    assert (await workspace.trigger("order.paid"))["status"] == "accepted"
    await workspace.endpoint("order.paid")
    assert (await workspace.trigger("order.paid"))["status"] == "accepted"


async def test_failures_is_empty_when_all_are_queued(workspace: Workspace) -> None:
    """An empty list, never absent."""
    await workspace.endpoint("order.paid")
    assert (await workspace.trigger("order.paid"))["failures"] == []


async def test_partial_fan_out(workspace: Workspace) -> None:
    """202; the failed one is described; its sibling is queued and sent."""
    full = await full_endpoint(workspace, "order.paid")
    sibling = await workspace.endpoint("order.paid")
    told = await workspace.trigger("order.paid")
    assert (len(told["deliveryIds"]), told["status"]) == (1, "accepted")
    [failure] = told["failures"]
    assert set(failure) == {"endpointId", "code", "message"}
    assert (failure["endpointId"], failure["code"]) == (full.id, "internal_error")
    assert failure["message"]
    await sibling.arrived()


async def test_no_endpoint_was_queued(workspace: Workspace) -> None:
    """Still 202: the empty list tells."""
    full = await full_endpoint(workspace, "order.paid")
    answer = await workspace.send("/event/order.paid", {"payload": PAYLOAD})
    assert (answer.status, answer.body["deliveryIds"], answer.body["status"]) == (202, [], "accepted")
    assert [one["endpointId"] for one in answer.body["failures"]] == [full.id]
