"""Trigger, "Response" and "Partial fan-out"."""

import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import nats
import pytest
from nats.js.kv import KeyValue

from checks.waiting import until
from runtime import bucket_keys
from services.domain import topology
from stack.client import Running
from tests.conformance.nahook.conftest import END_S, PAYLOAD, Target, Workspace

_FIELDS = {"eventTypeId", "deliveryIds", "status", "failures"}


async def full_endpoint(_running: Running, workspace: Workspace, event_type: str) -> Target:
    """Return an endpoint that subscribes to the type and can take no more: its owner reads nothing of it."""
    await workspace.change(max_parked_per_endpoint=1)
    path = f"/tenants/{workspace.tenant.id}/endpoints"
    made = await workspace.client.operator.must("POST", path, json={"mode": "polled"})
    target = Target(workspace, "", {"id": "ep_" + made["id"].replace("-", "")})
    type_id = await workspace.event_type(event_type)
    await workspace.must("POST", f"/endpoints/{target.id}/subscriptions", {"eventTypeIds": [type_id]})

    await until_failing(workspace, event_type)
    return target


async def undecryptable_endpoint(running: Running, workspace: Workspace, event_type: str) -> Target:
    """Return an endpoint that subscribes to the type, whose secret no encryption key opens."""
    target = await workspace.endpoint(event_type)
    key = topology.endpoint_key(workspace.tenant.id, target.uuid)
    async with published(running) as bucket:
        value = msgspec.json.decode((await bucket.get(key)).value or b"")
        value["secrets"][0]["ciphertext"] = base64.b64encode(b"of no key").decode()
        await bucket.put(key, msgspec.json.encode(value))
    await until_failing(workspace, event_type)
    return target


async def broken_endpoint(running: Running, workspace: Workspace, event_type: str) -> Target:
    """Return an endpoint that subscribes to the type, and what is published of it makes no sense."""
    target = await workspace.endpoint(event_type)
    async with published(running) as bucket:
        await bucket.put(topology.endpoint_key(workspace.tenant.id, target.uuid), b"\xff")
    await until_failing(workspace, event_type)
    return target


@asynccontextmanager
async def published(running: Running) -> AsyncIterator[KeyValue]:
    """The bucket that the services read configuration from."""
    connection = await nats.connect(running.variables["CLARION_NATS_URL"])
    try:
        yield await connection.jetstream().key_value(bucket_keys.BUCKET)
    finally:
        await connection.close()


async def until_failing(workspace: Workspace, event_type: str) -> None:
    """Wait until an endpoint of this type fails."""

    async def is_failing() -> bool:
        return bool((await workspace.trigger(event_type))["failures"])

    await until(is_failing, "a failing endpoint", deadline=END_S, every=0.2)


Create = Callable[[Running, Workspace, str], Awaitable[Target]]
_FAILING = pytest.mark.parametrize(
    "create",
    [
        pytest.param(full_endpoint, id="backlog"),
        pytest.param(undecryptable_endpoint, id="secret"),
        pytest.param(broken_endpoint, id="fault"),
    ],
)


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


@_FAILING
async def test_partial_fan_out(nahook_stack: Running, workspace: Workspace, create: Create) -> None:
    """202; the failed one is described; its sibling is queued and sent."""
    failing = await create(nahook_stack, workspace, "order.paid")
    sibling = await workspace.endpoint("order.paid")
    told = await workspace.trigger("order.paid")
    assert (len(told["deliveryIds"]), told["status"]) == (1, "accepted")
    [failure] = told["failures"]
    assert set(failure) == {"endpointId", "code", "message"}
    assert (failure["endpointId"], failure["code"]) == (failing.id, "internal_error")
    assert failure["message"]
    await sibling.arrived()


@_FAILING
async def test_no_endpoint_was_queued(nahook_stack: Running, workspace: Workspace, create: Create) -> None:
    """Still 202: the empty list tells."""
    failing = await create(nahook_stack, workspace, "order.paid")
    answer = await workspace.send("/event/order.paid", {"payload": PAYLOAD})
    assert (answer.status, answer.body["deliveryIds"], answer.body["status"]) == (202, [], "accepted")
    assert [one["endpointId"] for one in answer.body["failures"]] == [failing.id]
