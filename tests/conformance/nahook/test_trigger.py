"""Trigger, the head of the page: who gets what."""

import asyncio
import json

import pytest

from checks.waiting import until
from tests.conformance.nahook.conftest import (
    END_S,
    METADATA,
    PAYLOAD,
    CreateWorkspace,
    Workspace,
    assert_refused,
    private,
)


async def test_fans_out_to_every_active_endpoint(workspace: Workspace) -> None:
    """Each that subscribes to the type, once, and nobody else."""
    wanted = [await workspace.endpoint("order.paid") for _ in range(3)]
    inactive, other = await workspace.endpoint("order.paid"), await workspace.endpoint("order.sent")
    await workspace.must("PATCH", f"/endpoints/{inactive.id}", {"isActive": False})
    told = await workspace.trigger("order.paid")
    assert len(told["deliveryIds"]) == len(set(told["deliveryIds"])) == 3
    for target in wanted:
        [arrived] = await target.arrived()
        assert json.loads(arrived.body) == PAYLOAD
    assert [workspace.receiver.arrived(one.path) for one in (inactive, other)] == [[], []]


async def test_of_the_keys_workspace(workspace: Workspace, create_workspace: CreateWorkspace) -> None:
    """Another workspace's endpoints of the same type get nothing."""
    other = await create_workspace()
    stranger, own = await other.endpoint("order.paid"), await workspace.endpoint("order.paid")
    told = await workspace.trigger("order.paid")
    assert len(told["deliveryIds"]) == 1
    await own.arrived()
    assert workspace.receiver.arrived(stranger.path) == []


async def test_of_the_keys_environment(workspace: Workspace) -> None:
    """A key of an environment reaches its endpoints; one of the workspace those of all environments."""
    staging = await workspace.must("POST", "/environments", {"name": "Staging", "slug": "staging"})
    there = await workspace.endpoint("order.paid", environmentId=staging["id"])
    here = await workspace.endpoint("order.paid")
    key = await workspace.create_key(scopes=[private(staging["id"])])
    answer = await workspace.send("/event/order.paid", {"payload": PAYLOAD}, key=key.text)
    assert len(answer.body["deliveryIds"]) == 1
    await there.arrived()
    assert workspace.receiver.arrived(here.path) == []
    assert len((await workspace.trigger("order.paid"))["deliveryIds"]) == 2


async def test_subscriptions_are_managed_by_the_management_api(workspace: Workspace) -> None:
    """A trigger right after a subscription reaches it, and one right after its end does not."""
    target = await workspace.endpoint()
    type_id = await workspace.event_type("order.paid")
    for _ in range(5):
        await workspace.must("POST", f"/endpoints/{target.id}/subscriptions", {"eventTypeIds": [type_id]})
        assert len((await workspace.trigger("order.paid"))["deliveryIds"]) == 1
        await workspace.must("DELETE", f"/endpoints/{target.id}/subscriptions/{type_id}")
        assert (await workspace.trigger("order.paid"))["deliveryIds"] == []


async def test_subscriptions_are_managed_in_the_dashboard(workspace: Workspace) -> None:
    """What the operator's API subscribes is the same."""
    target = await workspace.endpoint()
    await workspace.event_type("order.paid")
    path = f"/tenants/{workspace.tenant.id}/endpoints/{target.uuid}/subscriptions"
    await workspace.client.operator.must("POST", path, json={"event_types": ["order.paid"]})
    assert len((await workspace.trigger("order.paid"))["deliveryIds"]) == 1


@pytest.mark.parametrize("name", ["order.paid", "a", "order_paid.v-2", "x" * 128])
async def test_path(workspace: Workspace, name: str) -> None:
    """The type stands in the path."""
    target = await workspace.endpoint(name)
    assert (await workspace.trigger(name))["deliveryIds"]
    await target.arrived()


@pytest.mark.parametrize("name", ["INVALID%20NAME!!", "Order.paid", ".a", "a..b", "a.", "%C3%A9", "x" * 129])
async def test_path_with_a_bad_name(workspace: Workspace, name: str) -> None:
    """What cannot be the name of a type is refused."""
    assert_refused(await workspace.send(f"/event/{name}", {"payload": {}}), 400, "bad_request", "eventType")


async def test_unknown_type(workspace: Workspace) -> None:
    """It is no error: nothing is sent, and the type's id is the one it gets when it is created."""
    told = await workspace.trigger("never.seen")
    assert told["deliveryIds"] == []
    assert told["eventTypeId"] == await workspace.event_type("never.seen")


async def test_type_without_subscribers(workspace: Workspace) -> None:
    """The same for a type that nobody subscribes to."""
    type_id = await workspace.event_type("order.paid")
    told = await workspace.trigger("order.paid")
    assert told == {"eventTypeId": type_id, "deliveryIds": [], "status": "accepted", "failures": []}


async def test_payload_is_required(workspace: Workspace) -> None:
    """Without it nothing can be sent."""
    for body in ({}, {"payload": None}, {"metadata": METADATA}):
        assert_refused(await workspace.send("/event/order.paid", body), 400, "bad_request", "payload")


@pytest.mark.parametrize("payload", [[], [1], "text", 7, True], ids=str)
async def test_payload_is_an_object(workspace: Workspace, payload: object) -> None:
    """Any other JSON is refused."""
    assert_refused(await workspace.send("/event/order.paid", {"payload": payload}), 400, "bad_request", "payload")


async def test_payload_is_arbitrary_json(workspace: Workspace) -> None:
    """Each byte of it arrives as it was written: order, white space, numbers, escapes."""
    target = await workspace.endpoint("order.paid")
    payload = '{ "b": 1.50, "a" : [null, true, {"é": "\\u00e9 €"}],\n "n": 123456789012345678901234567890, "": {} }'
    raw = f'{{"payload": {payload} }}'.encode()
    assert (await workspace.send("/event/order.paid", raw=raw)).status == 202
    [arrived] = await target.arrived()
    assert arrived.body == payload.encode()
    assert arrived.headers["content-type"].startswith("application/json")


async def test_each_endpoint_receives_the_same_payload(workspace: Workspace) -> None:
    """Byte for byte, also a large one."""
    targets = [await workspace.endpoint("order.paid") for _ in range(2)]
    await workspace.trigger("order.paid", {"text": "ä" * 50_000})
    bodies = {(await target.arrived())[0].body for target in targets}
    assert len(bodies) == 1


async def test_metadata_is_optional(workspace: Workspace) -> None:
    """Absent, null and empty are the same."""
    bodies: list[dict[str, object]] = [{"payload": {}}, {"payload": {}, "metadata": None}]
    for body in (*bodies, {"payload": {}, "metadata": {}}):
        assert (await workspace.send("/event/order.paid", body)).status == 202


async def test_metadata_has_up_to_5_keys(workspace: Workspace) -> None:
    """Five are taken, six are not."""
    for number, status in ((5, 202), (6, 400)):
        metadata = {f"key{index}": "" for index in range(number)}
        answer = await workspace.send("/event/order.paid", {"payload": {}, "metadata": metadata})
        assert answer.status == status
    assert_refused(answer, 400, "bad_request", "metadata", "5")


@pytest.mark.parametrize("metadata", [{"a": 1}, {"a": None}, {"a": {}}, {"a": "1", "b": True}, [], "a"], ids=str)
async def test_metadata_values_are_strings(workspace: Workspace, metadata: object) -> None:
    """Nothing is turned into a string."""
    answer = await workspace.send("/event/order.paid", {"payload": {}, "metadata": metadata})
    assert_refused(answer, 400, "bad_request", "metadata")


async def test_metadata_filters_deliveries(workspace: Workspace) -> None:
    """It is attached to every delivery of the fan-out, and is not sent."""
    targets = [await workspace.endpoint("order.paid") for _ in range(2)]
    told = await workspace.trigger("order.paid", metadata=METADATA)
    await workspace.trigger("order.paid", metadata={"source": "another"})
    path = f"/tenants/{workspace.tenant.id}/deliveries?metadata=%7B%22source%22%3A%22checkout-service%22%7D"

    async def both() -> list[str] | None:
        found = (await workspace.client.operator.must("GET", path))["data"]
        return [one["id"] for one in found] if len(found) >= 2 else None

    found = await until(both, "both deliveries", deadline=END_S)
    assert set(found) == {private(one) for one in told["deliveryIds"]}
    for target in targets:
        arrived = await target.arrived(2)
        assert all(json.loads(one.body) == PAYLOAD for one in arrived)
        assert not any("checkout-service" in str(one.headers) for one in arrived)


async def test_is_never_deduplicated(workspace: Workspace) -> None:
    """The same call again is another delivery, also with an idempotencyKey, which it does not accept."""
    target = await workspace.endpoint("order.paid")
    body = {"payload": PAYLOAD, "idempotencyKey": "k"}
    answers = await asyncio.gather(*(workspace.send("/event/order.paid", body) for _ in range(3)))
    ids = [one for answer in answers for one in answer.body["deliveryIds"]]
    assert len(ids) == len(set(ids)) == 3
    arrived = await target.arrived(3)
    assert len({one.headers["webhook-id"] for one in arrived}) == 3
