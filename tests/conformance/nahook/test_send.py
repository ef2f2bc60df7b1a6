"""Send: one endpoint, and the same key twice is one delivery."""

import asyncio
import json
import uuid

import pytest

from stack.client import Running
from tests.conformance.nahook.conftest import PAYLOAD, CreateWorkspace, Workspace, assert_refused, private
from tests.conformance.nahook.test_response import full_endpoint, undecryptable_endpoint


async def test_202(workspace: Workspace) -> None:
    """The published fields and no others; the payload arrives."""
    target = await workspace.endpoint()
    answer = await workspace.send(f"/{target.id}", {"payload": PAYLOAD, "idempotencyKey": "order-123"})
    assert answer.status == 202
    assert set(answer.body) == {"deliveryId", "idempotencyKey", "status"}
    assert (answer.body["idempotencyKey"], answer.body["status"]) == ("order-123", "accepted")
    [arrived] = await target.arrived()
    assert json.loads(arrived.body) == PAYLOAD
    found = await workspace.delivery(answer.body["deliveryId"], "delivered")
    assert (found["endpointId"], found["idempotencyKey"]) == (target.id, "order-123")


async def test_needs_no_subscription(workspace: Workspace) -> None:
    """Of several endpoints the named one alone gets it."""
    target, other = await workspace.endpoint(), await workspace.endpoint("order.paid")
    assert (await workspace.send(f"/{target.id}", {"payload": PAYLOAD})).status == 202
    await target.arrived()
    assert workspace.receiver.arrived(other.path) == []


async def test_same_key_is_the_same_delivery(workspace: Workspace) -> None:
    """At once and one after the other; another payload too: the first one is sent."""
    target = await workspace.endpoint()
    bodies = [{"payload": {"n": number}, "idempotencyKey": "k"} for number in range(5)]
    first = await workspace.send(f"/{target.id}", bodies[0])
    answers = await asyncio.gather(*(workspace.send(f"/{target.id}", body) for body in bodies))
    assert {answer.status for answer in answers} == {202}
    assert all(answer.body == first.body for answer in answers)
    [arrived] = await target.arrived()
    assert json.loads(arrived.body) == {"n": 0}


async def test_key_is_of_its_endpoint_and_workspace(workspace: Workspace, create_workspace: CreateWorkspace) -> None:
    """Elsewhere the same key is another one."""
    targets = [await workspace.endpoint(), await workspace.endpoint(), await (await create_workspace()).endpoint()]
    body = {"payload": PAYLOAD, "idempotencyKey": "k"}
    answers = [await one.workspace.send(f"/{one.id}", body) for one in targets]
    assert len({answer.body["deliveryId"] for answer in answers}) == 3
    for target in targets:
        await target.arrived()


async def test_without_a_key_one_is_made(workspace: Workspace) -> None:
    """A new one for each call, and it works like the caller's own."""
    target = await workspace.endpoint()
    first, second = [await workspace.send(f"/{target.id}", {"payload": PAYLOAD}) for _ in range(2)]
    assert first.body["deliveryId"] != second.body["deliveryId"]
    assert uuid.UUID(first.body["idempotencyKey"])
    again = {"payload": PAYLOAD, "idempotencyKey": first.body["idempotencyKey"]}
    assert (await workspace.send(f"/{target.id}", again)).body == first.body


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0b", 7, ["k"]], ids=repr)
async def test_bad_key(workspace: Workspace, key: object) -> None:
    """1 to 255 characters."""
    target = await workspace.endpoint()
    answer = await workspace.send(f"/{target.id}", {"payload": PAYLOAD, "idempotencyKey": key})
    assert_refused(answer, 400, "bad_request", "idempotencyKey")


async def test_payload(workspace: Workspace) -> None:
    """Required, and an object."""
    target = await workspace.endpoint()
    bodies: list[object] = [{}, {"payload": []}, {"payload": "text"}]
    for body in bodies:
        assert_refused(await workspace.send(f"/{target.id}", body), 400, "bad_request", "payload")


async def test_disabled_endpoint(workspace: Workspace) -> None:
    """It is there, but nothing can be sent to it now."""
    target = await workspace.endpoint()
    await workspace.must("PATCH", f"/endpoints/{target.id}", {"isActive": False})
    assert_refused(await workspace.send(f"/{target.id}", {"payload": PAYLOAD}), 409, "conflict")


async def test_full_endpoint(nahook_stack: Running, workspace: Workspace) -> None:
    """Too much waits for it: the caller is told when to try again."""
    target = await full_endpoint(nahook_stack, workspace, "order.paid")
    answer = await workspace.send(f"/{target.id}", {"payload": PAYLOAD})
    assert_refused(answer, 429, "rate_limited")
    assert int(answer.headers["Retry-After"]) >= 1


async def test_endpoint_that_cannot_be_signed_for(nahook_stack: Running, workspace: Workspace) -> None:
    """It is our fault, and nothing was accepted: the same key later is a new send."""
    target = await undecryptable_endpoint(nahook_stack, workspace, "order.paid")
    body = {"payload": PAYLOAD, "idempotencyKey": "k"}
    assert_refused(await workspace.send(f"/{target.id}", body), 500, "internal_error")
    await workspace.must("PATCH", f"/endpoints/{target.id}", {"description": "published again"})
    answer = await workspace.send(f"/{target.id}", body)
    assert answer.status == 202
    await target.arrived()


async def test_key_of_other_endpoints(workspace: Workspace) -> None:
    """A key for some endpoints sends to them only."""
    target, other = await workspace.endpoint(), await workspace.endpoint()
    key = await workspace.create_key(endpoint_ids=[target.uuid])
    assert (await workspace.send(f"/{target.id}", {"payload": PAYLOAD}, key=key.text)).status == 202
    assert_refused(await workspace.send(f"/{other.id}", {"payload": PAYLOAD}, key=key.text), 403, "forbidden")


async def test_key_of_another_environment(workspace: Workspace) -> None:
    """A key of an environment does not find endpoints of another one."""
    staging = await workspace.must("POST", "/environments", {"name": "Staging", "slug": "staging"})
    target = await workspace.endpoint()
    key = await workspace.create_key(scopes=[private(staging["id"])])
    assert_refused(await workspace.send(f"/{target.id}", {"payload": PAYLOAD}, key=key.text), 404, "not_found")
