"""Deliveries, their attempts and payloads, and sending again."""

from typing import Any

import pytest
import standardwebhooks
import svix

from checks.client import Answer
from checks.waiting import until
from tests.conformance.nahook.conftest import END_S, CreateWorkspace, Workspace, assert_refused

_DELIVERY = {
    "id",
    "idempotencyKey",
    "endpointId",
    "status",
    "totalAttempts",
    "firstAttemptAt",
    "deliveredAt",
    "nextRetryAt",
    "hasPayload",
    "createdAt",
    "updatedAt",
}
_ATTEMPT = {
    "id",
    "attemptNumber",
    "status",
    "responseStatusCode",
    "responseTimeMs",
    "errorMessage",
    "createdAt",
}


async def retry(workspace: Workspace, delivery_id: str, *, token: str | None = None) -> Answer:
    """Send a delivery again, as the dashboard does."""
    headers = {"Authorization": f"Bearer {workspace.token.text if token is None else token}"}
    path = f"/api/workspaces/{workspace.id}/deliveries/{delivery_id}/retry"
    return await workspace.client.http.call("POST", path, headers=headers)


async def dead_letter(workspace: Workspace) -> tuple[Any, str]:
    """Return an endpoint that failed, and the delivery that ended there."""
    target = await workspace.endpoint("order.paid")
    target.fails(400)
    path = f"/tenants/{workspace.tenant.id}/endpoints/{target.uuid}"
    await workspace.client.operator.must("PATCH", path, json={"retry_delays_s": [1]})
    [delivery_id] = (await workspace.trigger("order.paid"))["deliveryIds"]
    await workspace.delivery(delivery_id, "dead_letter", "failed")
    return target, delivery_id


async def test_delivered(workspace: Workspace) -> None:
    """The published fields and no others."""
    target = await workspace.endpoint("order.paid")
    [delivery_id] = (await workspace.trigger("order.paid"))["deliveryIds"]
    found = await workspace.delivery(delivery_id, "delivered")
    assert set(found) == _DELIVERY
    assert (found["id"], found["endpointId"], found["totalAttempts"]) == (delivery_id, target.id, 1)
    assert found["idempotencyKey"] == (await target.arrived())[0].headers["webhook-id"]
    assert found["createdAt"] <= found["firstAttemptAt"] <= found["deliveredAt"]
    assert found["nextRetryAt"] is None


async def test_signature(workspace: Workspace) -> None:
    """The verifiers that receivers use accept it with the secret that was shown, and with both during a rotation."""
    target = await workspace.endpoint("order.paid")
    await workspace.trigger("order.paid", {"name": "café", "price": "€9.99"})
    await target.arrived()
    rotated = (await workspace.must("POST", f"/endpoints/{target.id}/rotate-secret"))["secret"]
    await workspace.trigger("order.paid")
    first, second = await target.arrived(2)
    assert first.headers["webhook-id"].startswith("msg_")
    for arrived, secrets in ((first, [target.made["secret"]]), (second, [target.made["secret"], rotated])):
        for secret in secrets:
            for verifier in (standardwebhooks.Webhook(secret), svix.Webhook(secret)):
                verifier.verify(arrived.body.decode(), arrived.headers)


async def test_scheduled_retry(workspace: Workspace) -> None:
    """While the next attempt waits for its time, it is told."""
    target = await workspace.endpoint("order.paid")
    target.fails(503)
    path = f"/tenants/{workspace.tenant.id}/endpoints/{target.uuid}"
    await workspace.client.operator.must("PATCH", path, json={"retry_delays_s": [600]})
    [delivery_id] = (await workspace.trigger("order.paid"))["deliveryIds"]
    found = await workspace.delivery(delivery_id, "scheduled_retry")
    assert found["nextRetryAt"] > found["firstAttemptAt"]
    assert (found["deliveredAt"], found["totalAttempts"]) == (None, 1)
    assert_refused(await retry(workspace, delivery_id), 409, "conflict")


async def test_list(workspace: Workspace) -> None:
    """Newest first, page by page; each once."""
    target = await workspace.endpoint("order.paid")
    sent = [(await workspace.trigger("order.paid"))["deliveryIds"][0] for _ in range(5)]
    for one in sent:
        await workspace.delivery(one, "delivered")
    path = f"/endpoints/{target.id}/deliveries"
    whole = await workspace.must("GET", path)
    assert set(whole) == {"deliveries", "nextCursor"}
    assert ([one["id"] for one in whole["deliveries"]], whole["nextCursor"]) == (sent[::-1], None)
    assert set(whole["deliveries"][0]) == _DELIVERY
    found: list[str] = []
    cursor = ""
    while cursor is not None:
        page = await workspace.must("GET", f"{path}?limit=2{cursor and '&cursor=' + cursor}")
        assert len(page["deliveries"]) <= 2
        found += [one["id"] for one in page["deliveries"]]
        cursor = page["nextCursor"]
    assert found == sent[::-1]


async def test_list_limit(workspace: Workspace) -> None:
    """More than 100 is 100; what is no number is refused."""
    target = await workspace.endpoint()
    path = f"/endpoints/{target.id}/deliveries"
    assert (await workspace.manage("GET", f"{path}?limit=1000")).status == 200
    for limit in ("0", "-1", "x", ""):
        assert_refused(await workspace.manage("GET", f"{path}?limit={limit}"), 400, "bad_request", "limit")


async def test_list_by_status(workspace: Workspace) -> None:
    """Each of the six names; others are refused."""
    target = await workspace.endpoint("order.paid")
    [delivery_id] = (await workspace.trigger("order.paid"))["deliveryIds"]
    await workspace.delivery(delivery_id, "delivered")
    path = f"/endpoints/{target.id}/deliveries"
    for status in ("pending", "delivering", "scheduled_retry", "failed", "dead_letter"):
        page = await workspace.must("GET", f"{path}?status={status}")
        assert page == {"deliveries": [], "nextCursor": None}
    page = await workspace.must("GET", f"{path}?status=delivered")
    assert [one["id"] for one in page["deliveries"]] == [delivery_id]
    assert_refused(await workspace.manage("GET", f"{path}?status=sent"), 400, "bad_request", "status")


async def test_invalid_cursor(workspace: Workspace, create_workspace: CreateWorkspace) -> None:
    """Only that of a page of the same list: not of another endpoint, filter or workspace, and not a forged one."""
    cursors = {}
    spaces = {"own": workspace, "foreign": await create_workspace()}
    targets = {name: await space.endpoint("order.paid") for name, space in spaces.items()}
    other = await workspace.endpoint("order.paid")
    for name, space in spaces.items():
        for _ in range(2):
            for one in (await space.trigger("order.paid"))["deliveryIds"]:
                await space.delivery(one, "delivered")
        page = await space.must("GET", f"/endpoints/{targets[name].id}/deliveries?limit=1")
        cursors[name] = page["nextCursor"]
        assert cursors[name]
    path = f"/endpoints/{targets['own'].id}/deliveries?limit=1"
    cursor: str = cursors["own"]
    assert (await workspace.manage("GET", f"{path}&cursor={cursor}")).status == 200
    for wrong in (
        f"{path}&cursor={cursors['foreign']}",
        f"{path}&cursor={cursor}&status=delivered",
        f"{path}&cursor={cursor[2:]}",
        f"{path}&cursor={cursor[::-1]}",
        f"{path}&cursor={cursor}AA",
        f"{path}&cursor=x",
        f"/endpoints/{other.id}/deliveries?limit=1&cursor={cursor}",
    ):
        assert_refused(await workspace.manage("GET", wrong), 400, "invalid_cursor")


async def test_payload(workspace: Workspace) -> None:
    """On request, in an envelope, as it was sent."""
    await workspace.endpoint("order.paid")
    [delivery_id] = (await workspace.trigger("order.paid", {"n": 1.5, "é": "€"}))["deliveryIds"]
    found = await workspace.delivery(delivery_id, "delivered")
    assert found["hasPayload"] is True
    found = await workspace.must("GET", f"/deliveries/{delivery_id}?include=payload")
    assert found["payload"] == {
        "status": "available",
        "data": {"n": 1.5, "é": "€"},
        "contentType": "application/json",
    }
    assert_refused(await workspace.manage("GET", f"/deliveries/{delivery_id}?include=all"), 400, "bad_request")


async def test_attempts(workspace: Workspace) -> None:
    """Oldest first, numbered from 1, with what the endpoint answered."""
    target = await workspace.endpoint("order.paid")
    target.fails(500)
    [delivery_id] = (await workspace.trigger("order.paid"))["deliveryIds"]
    await target.arrived()
    target.fails(204)
    found = await workspace.delivery(delivery_id, "delivered")

    async def all_known() -> list[dict[str, Any]] | None:
        listed = await workspace.must("GET", f"/deliveries/{delivery_id}/attempts")
        return list(listed) if len(listed) >= found["totalAttempts"] else None

    attempts = await until(all_known, "all attempts", deadline=END_S)
    assert [one["attemptNumber"] for one in attempts] == list(range(1, len(attempts) + 1))
    assert len(attempts) >= 2
    first, last = attempts[0], attempts[-1]
    assert set(first) == _ATTEMPT
    assert (first["status"], first["responseStatusCode"]) == ("failed", 500)
    assert first["errorMessage"]
    assert first["responseTimeMs"] >= 0
    assert (last["status"], last["responseStatusCode"], last["errorMessage"]) == ("success", 204, None)
    assert first["createdAt"] < last["createdAt"]


async def test_attempt_without_an_answer(workspace: Workspace) -> None:
    """Nobody listens: there is neither a status nor a time."""
    await workspace.endpoint("order.paid", url=workspace.receiver.nobody)
    [delivery_id] = (await workspace.trigger("order.paid"))["deliveryIds"]

    async def first() -> dict[str, Any] | None:
        listed = (await workspace.manage("GET", f"/deliveries/{delivery_id}/attempts")).body
        return listed[0] if isinstance(listed, list) and listed else None

    attempt = await until(first, "an attempt", deadline=END_S)
    assert (attempt["responseStatusCode"], attempt["responseTimeMs"]) == (None, None)
    assert attempt["errorMessage"]


async def test_retry(workspace: Workspace) -> None:
    """A dead letter is sent again under its id; its attempts follow the earlier ones."""
    target, delivery_id = await dead_letter(workspace)
    before = len(await workspace.must("GET", f"/deliveries/{delivery_id}/attempts"))
    target.fails(200)
    answer = await retry(workspace, delivery_id)
    assert answer.status == 200
    assert set(answer.body) == _DELIVERY
    assert answer.body["id"] == delivery_id
    await workspace.delivery(delivery_id, "delivered")

    async def one_more() -> bool:
        return len(await workspace.must("GET", f"/deliveries/{delivery_id}/attempts")) == before + 1

    await until(one_more, "the further attempt", deadline=END_S)
    arrived = workspace.receiver.arrived(target.path)
    assert len({one.headers["webhook-id"] for one in arrived}) == 1


async def test_retry_409(workspace: Workspace) -> None:
    """What was delivered, or will be tried again anyway, is not sent again."""
    await workspace.endpoint("order.paid")
    [delivery_id] = (await workspace.trigger("order.paid"))["deliveryIds"]
    await workspace.delivery(delivery_id, "delivered")
    assert_refused(await retry(workspace, delivery_id), 409, "conflict")


async def test_retry_404(workspace: Workspace, create_workspace: CreateWorkspace) -> None:
    """Another workspace's delivery is not there."""
    other = await create_workspace()
    _, delivery_id = await dead_letter(other)
    answers = [await retry(workspace, one) for one in (delivery_id, "del_" + "0" * 32, "del_1")]
    for answer in answers:
        assert_refused(answer, 404, "not_found")
    assert_refused(await retry(workspace, delivery_id, token=""), 401, "unauthorized")
    assert_refused(await workspace.manage("GET", f"/deliveries/{delivery_id}"), 404, "not_found")


@pytest.mark.parametrize("path", ["", "/attempts"])
async def test_delivery_that_goes_to_no_endpoint(workspace: Workspace, path: str) -> None:
    """A tenant's e-mail is none of this API's deliveries."""
    operator = workspace.client.operator
    settings = {"tenant_id": workspace.tenant.id, "channel": "SMS", "kind": "sandbox", "settings": {}}
    await operator.must("POST", "/providers", json=settings)
    await operator.create_template(workspace.tenant, "order.sent", "SMS", "text")
    event_id = await workspace.tenant.accept(
        {"eventType": "order.sent", "payload": {"userId": "u", "recipientPhone": "+254712345678"}}
    )
    event = await until(lambda: operator.finished(event_id), "the event's end", deadline=END_S)
    [delivery] = [one for one in event["deliveries"] if one["channel"] == "SMS"]
    public_id = "del_" + delivery["id"].replace("-", "")
    assert_refused(await workspace.manage("GET", f"/deliveries/{public_id}{path}"), 404, "not_found")
