"""Both batches: 1 to 20 items, each with a result of its own."""

from typing import Any

import pytest

from tests.conformance.nahook.conftest import METADATA, PAYLOAD, Workspace, assert_refused


async def test_send_202(workspace: Workspace) -> None:
    """All accepted: their results in order."""
    targets = [await workspace.endpoint() for _ in range(2)]
    items = [{"endpointId": target.id, "payload": PAYLOAD, "idempotencyKey": target.id} for target in targets]
    answer = await workspace.send("/batch", {"items": items})
    assert answer.status == 202
    assert set(answer.body) == {"items"}
    for index, (item, target) in enumerate(zip(answer.body["items"], targets, strict=True)):
        assert set(item) == {"index", "deliveryId", "idempotencyKey", "status"}
        assert (item["index"], item["idempotencyKey"], item["status"]) == (index, target.id, "accepted")
        await target.arrived()


async def test_trigger_202(workspace: Workspace) -> None:
    """All accepted, a type without subscribers among them."""
    target = await workspace.endpoint("order.paid")
    items = [{"eventType": name, "payload": PAYLOAD, "metadata": METADATA} for name in ("order.paid", "order.sent")]
    answer = await workspace.send("/event/batch", {"items": items})
    assert answer.status == 202
    for index, (item, number) in enumerate(zip(answer.body["items"], (1, 0), strict=True)):
        assert set(item) == {"index", "eventTypeId", "deliveryIds", "status"}
        assert (item["index"], len(item["deliveryIds"]), item["status"]) == (index, number, "accepted")
    await target.arrived()


async def test_send_207(workspace: Workspace) -> None:
    """Each faulty item has its error; the others are sent."""
    target = await workspace.endpoint()
    good = {"endpointId": target.id, "payload": PAYLOAD}
    items: list[Any] = [
        good,
        {"endpointId": "ep_" + "0" * 32, "payload": PAYLOAD},
        {"endpointId": target.id},
        {"payload": PAYLOAD},
        {"endpointId": target.id, "payload": []},
        7,
        good,
    ]
    answer = await workspace.send("/batch", {"items": items})
    assert answer.status == 207
    assert [item["index"] for item in answer.body["items"]] == list(range(7))
    codes = [item.get("error", {}).get("code") for item in answer.body["items"]]
    assert codes == [None, "not_found", "bad_request", "bad_request", "bad_request", "bad_request", None]
    for item in answer.body["items"][1:6]:
        assert set(item) == {"index", "error"}
        assert set(item["error"]) == {"code", "message"}
    await target.arrived(2)


async def test_trigger_207(workspace: Workspace) -> None:
    """The same for types."""
    target = await workspace.endpoint("order.paid")
    good = {"eventType": "order.paid", "payload": PAYLOAD}
    bad = [
        {"eventType": "INVALID NAME!!", "payload": {}},
        {"eventType": "batch", "payload": {}},
        {"payload": {}},
        {**good, "metadata": {str(number): "" for number in range(6)}},
    ]
    answer = await workspace.send("/event/batch", {"items": [*bad, good]})
    assert answer.status == 207
    codes = [item.get("error", {}).get("code") for item in answer.body["items"]]
    assert codes == ["bad_request"] * 4 + [None]
    await target.arrived()


async def test_all_faulty_207(workspace: Workspace) -> None:
    """Still results, not one error."""
    answer = await workspace.send("/event/batch", {"items": [{"eventType": "A", "payload": {}}]})
    assert (answer.status, len(answer.body["items"])) == (207, 1)


async def test_same_key_in_one_batch(workspace: Workspace) -> None:
    """The same endpoint and key: one delivery."""
    target = await workspace.endpoint()
    item = {"endpointId": target.id, "payload": PAYLOAD, "idempotencyKey": "k"}
    answer = await workspace.send("/batch", {"items": [item, item]})
    assert len({one["deliveryId"] for one in answer.body["items"]}) == 1
    await target.arrived()


@pytest.mark.parametrize("path", ["/batch", "/event/batch"])
@pytest.mark.parametrize("body", [{}, {"items": []}, {"items": {}}, {"items": None}], ids=str)
async def test_without_items(workspace: Workspace, path: str, body: dict[str, Any]) -> None:
    """At least one."""
    assert_refused(await workspace.send(path, body), 400, "bad_request", "items")


@pytest.mark.parametrize("path", ["/batch", "/event/batch"])
async def test_20_items_at_most(workspace: Workspace, path: str) -> None:
    """Twenty are taken, twenty-one are not."""
    target = await workspace.endpoint("order.paid")
    item = {"endpointId": target.id, "eventType": "order.paid", "payload": {}}
    assert (await workspace.send(path, {"items": [item] * 20})).status == 202
    assert_refused(await workspace.send(path, {"items": [item] * 21}), 400, "bad_request", "items", "20")


async def test_batch_is_no_event_type(workspace: Workspace) -> None:
    """The name stands for something else in the path."""
    answer = await workspace.manage("POST", "/event-types", {"name": "batch"})
    assert_refused(answer, 400, "bad_request", "batch")
