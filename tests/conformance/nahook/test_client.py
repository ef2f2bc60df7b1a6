"""The vendor's own Python client, unmodified: every public method of it, against the running stack."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import nahook
import pytest

from checks.waiting import until
from tests.conformance.nahook.conftest import END_S, METADATA, PAYLOAD, Workspace

_RESOURCES = (
    "endpoints",
    "environments",
    "event_types",
    "applications",
    "subscriptions",
    "portal_sessions",
    "deliveries",
)
_URL = "https://example.com/hooks"


class Recorder:
    """Calls methods of both clients in threads, because they block, and notes which."""

    def __init__(self, url: str, key: str, token: str) -> None:
        self.client = nahook.NahookClient(key, base_url=url)
        self.management = nahook.NahookManagement(token, base_url=url)
        self.called: dict[str, None] = {}

    async def __call__(self, name: str, /, *given: Any, **named: Any) -> Any:
        """Call a method by its name, such as "endpoints.create" or "send"."""
        owner: Any = self.management if "." in name else self.client
        method: Any = owner
        for part in name.split("."):
            method = getattr(method, part)
        result = await asyncio.to_thread(method, *given, **named)
        self.called[name] = None
        return result

    def public(self) -> set[str]:
        """Return the names of all public methods, without closing."""
        parts = {"": self.client, **{f"{name}.": getattr(self.management, name) for name in _RESOURCES}}
        return {
            f"{prefix}{name}"
            for prefix, part in parts.items()
            for name, _ in inspect.getmembers(part, inspect.ismethod)
            if not name.startswith("_") and name != "close"
        }


@pytest.fixture
def call(workspace: Workspace) -> Iterator[Recorder]:
    """Both clients of a workspace."""
    recorder = Recorder(workspace.client.http.url, workspace.key.text, workspace.token.text)
    with recorder.client, recorder.management:
        yield recorder


async def test_every_method(workspace: Workspace, call: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is called and understands the answer; the list is printed."""
    here = workspace.id
    await _catalogs(call, here)
    target = await workspace.endpoint()
    await _subscriptions(call, here, target.id)
    sent = await _ingest(call, target.id)
    await target.arrived(5)
    await _deliveries(call, here, target.id, sent)
    assert set(call.called) == call.public()
    with capsys.disabled():
        print("\nnahook", nahook.__version__, "against the running stack:")
        print("\n".join(f"  passed: {name}" for name in call.called))


async def _catalogs(call: Recorder, here: str) -> None:
    environment = await call("environments.create", here, name="Staging", slug="staging")
    assert len((await call("environments.list", here))["data"]) == 2
    assert (await call("environments.get", here, environment["id"])) == environment
    renamed = await call("environments.update", here, environment["id"], name="Test")
    assert renamed["name"] == "Test"

    event_type = await call("event_types.create", here, name="order.paid", description="An order was paid")
    assert event_type["subscriberCount"] == 0
    assert (await call("event_types.list", here))["data"] == [event_type]
    assert (await call("event_types.get", here, event_type["id"])) == event_type
    changed = await call("event_types.update", here, event_type["id"], description="Paid")
    assert changed["description"] == "Paid"
    shown = await call(
        "environments.set_event_type_visibility", here, environment["id"], event_type["id"], published=True
    )
    assert shown == {"eventTypeId": event_type["id"], "eventTypeName": "order.paid", "published": True}
    assert (await call("environments.list_event_type_visibility", here, environment["id"]))["data"] == [shown]

    application = await call(
        "applications.create", here, name="Acorn", external_id="a", metadata={"a": "b"}, max_endpoints=3
    )
    assert (await call("applications.list", here, limit=10, offset=0))["data"] == [application]
    assert (await call("applications.get", here, application["id"])) == application
    assert (await call("applications.update", here, application["id"], name="Oak"))["maxEndpoints"] == 3
    assert (await call("applications.update", here, application["id"], max_endpoints=None))["maxEndpoints"] is None
    owned = await call("applications.create_endpoint", here, application["id"], url=_URL)
    assert owned["secret"].startswith("whsec_")
    assert len((await call("applications.list_endpoints", here, application["id"]))["data"]) == 1
    session = await call("portal_sessions.create", here, application["id"], expires_in_minutes=5)
    assert session["code"] in session["url"]
    await call("portal_sessions.create", here, application["id"])

    endpoint = await call(
        "endpoints.create",
        here,
        url=_URL,
        type_="webhook",
        description="Orders",
        metadata={"team": "a"},
        config={"a": 1},
        auth_username="ada",
        auth_password="of-a-test",
        environment_id=environment["id"],
    )
    secret = endpoint.pop("secret")
    assert secret.startswith("whsec_")
    assert (await call("endpoints.get", here, endpoint["id"])) == endpoint
    assert endpoint in (await call("endpoints.list", here))["data"]
    assert (await call("endpoints.update", here, endpoint["id"], is_active=False))["isActive"] is False

    assert await call("endpoints.delete", here, endpoint["id"]) is None
    assert await call("applications.delete", here, application["id"]) is None
    assert await call("environments.delete", here, environment["id"]) is None
    assert await call("event_types.delete", here, event_type["id"]) is None
    with pytest.raises(nahook.NahookAPIError) as caught:
        await call("endpoints.get", here, endpoint["id"])
    assert caught.value.is_not_found


async def _subscriptions(call: Recorder, here: str, endpoint_id: str) -> None:
    types = [await call("event_types.create", here, name=name) for name in ("order.paid", "order.sent")]
    ids = [one["id"] for one in types]
    assert await call("subscriptions.create", here, endpoint_id, event_type_ids=ids) == {"subscribed": 2}
    assert await call("subscriptions.delete", here, endpoint_id, ids[1]) is None
    found = (await call("subscriptions.list", here, endpoint_id))["data"]
    assert [one["eventTypeName"] for one in found] == ["order.paid"]


async def _ingest(call: Recorder, endpoint_id: str) -> str:
    first = await call("send", endpoint_id, PAYLOAD, idempotency_key="order-123")
    again = await call("send", endpoint_id, PAYLOAD, idempotency_key="order-123")
    assert first == again
    assert first["status"] == "accepted"
    triggered = await call("trigger", "order.paid", PAYLOAD, metadata=METADATA)
    assert (len(triggered["deliveryIds"]), triggered["failures"]) == (1, [])
    batch = await call("send_batch", [{"endpointId": endpoint_id, "payload": PAYLOAD}] * 2)
    assert [one["status"] for one in batch["items"]] == ["accepted"] * 2
    batch = await call(
        "trigger_batch",
        [{"eventType": "order.paid", "payload": PAYLOAD}, {"eventType": "INVALID!", "payload": {}}],
    )
    assert [one.get("status") for one in batch["items"]] == ["accepted", None]
    assert batch["items"][1]["error"]["code"] == "bad_request"
    return str(first["deliveryId"])


async def _deliveries(call: Recorder, here: str, endpoint_id: str, delivery_id: str) -> None:
    async def listed() -> dict[str, Any] | None:
        page = await call("deliveries.list", here, endpoint_id, limit=100, status="delivered")
        return dict(page) if len(page["data"]) >= 5 else None

    page = await until(listed, "five deliveries", deadline=END_S, every=0.2)
    assert (len(page["data"]), page["next_cursor"]) == (5, None)
    part = await call("deliveries.list", here, endpoint_id, limit=3)
    rest = await call("deliveries.list", here, endpoint_id, limit=3, cursor=part["next_cursor"])
    assert [one["id"] for one in (*part["data"], *rest["data"])] == [one["id"] for one in page["data"]]
    delivery = await call("deliveries.get", here, delivery_id, include_payload=True)
    assert delivery["payload"] == {"status": "available", "data": PAYLOAD, "contentType": "application/json"}
    attempts = await call("deliveries.get_attempts", here, delivery_id)
    assert [one["attemptNumber"] for one in attempts] == [1]


@pytest.mark.parametrize(
    ("fails", "status", "code", "property_name"),
    [
        (lambda call, _: call.client.trigger("INVALID NAME!!", {}), 400, "bad_request", "is_validation_error"),
        (lambda call, _: call.client.send("ep_nonexistent_endpoint_id_000", {}), 404, "not_found", "is_not_found"),
        (lambda call, here: call.management.endpoints.get(here, "ep/1"), 404, "not_found", "is_not_found"),
    ],
    ids=["validation", "not found", "encoded path"],
)
async def test_errors(
    workspace: Workspace,
    call: Recorder,
    fails: Callable[[Recorder, str], object],
    status: int,
    code: str,
    property_name: str,
) -> None:
    """The client reads status, code and message of an error."""
    with pytest.raises(nahook.NahookAPIError) as caught:
        await asyncio.to_thread(fails, call, workspace.id)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert getattr(caught.value, property_name)
    assert str(caught.value)


async def test_errors_of_keys(workspace: Workspace) -> None:
    """Unknown and disabled ones are errors of authentication, which are not retried."""
    key = await workspace.create_key()
    await workspace.change_key(key, disabled=True)
    url = workspace.client.http.url
    for text, status in (("nhk_us_invalid_key_that_does_not_exist_at_all", 401), (key.text, 403)):
        with nahook.NahookClient(text, base_url=url) as client, pytest.raises(nahook.NahookAPIError) as caught:
            await asyncio.to_thread(client.send, "ep_1", {})
        assert caught.value.status == status
        assert caught.value.is_auth_error
        assert not caught.value.is_retryable


async def test_rate_limit(workspace: Workspace) -> None:
    """The client reads when to try again."""
    key = await workspace.create_key(rates=[{"window_s": 3600, "bound": 1, "kind": "fixed"}])
    with nahook.NahookClient(key.text, base_url=workspace.client.http.url) as client:
        await asyncio.to_thread(client.trigger, "order.paid", {})
        with pytest.raises(nahook.NahookAPIError) as caught:
            await asyncio.to_thread(client.trigger, "order.paid", {})
    assert caught.value.is_rate_limited
    assert caught.value.retry_after is not None
    assert 1 <= caught.value.retry_after <= 3600
