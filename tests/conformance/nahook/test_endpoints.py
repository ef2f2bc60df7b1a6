"""The management API: endpoints, event types, subscriptions."""

from typing import Any

import pytest

from tests.conformance.nahook.conftest import Workspace, assert_refused

_URL = "https://example.com/hooks"
_ENDPOINT = {"id", "url", "description", "isActive", "type", "config", "metadata", "createdAt", "updatedAt"}
_EVENT_TYPE = {"id", "name", "description", "subscriberCount", "createdAt"}


async def test_endpoint(workspace: Workspace) -> None:
    """Created with a secret, which is shown only then; read, listed, changed, deleted."""
    fields = {
        "url": _URL,
        "type": "webhook",
        "description": "Orders",
        "metadata": {"team": "a"},
        "config": {"a": {"b": 1.50}},
        "authUsername": "ada",
        "authPassword": "secret-password",
    }
    answer = await workspace.manage("POST", "/endpoints", fields)
    assert answer.status == 201
    made = dict(answer.body)
    assert made.pop("secret").startswith("whsec_")
    assert set(made) == _ENDPOINT
    assert made | {name: fields[name] for name in ("url", "type", "description", "metadata", "config")} == made
    assert made["isActive"] is True
    assert "secret-password" not in str(answer.body)
    assert await workspace.must("GET", f"/endpoints/{made['id']}") == made
    assert await workspace.must("GET", "/endpoints") == [made]
    changes: dict[str, Any] = {"url": _URL + "/2", "description": None, "metadata": {}, "isActive": False}
    changed = await workspace.must("PATCH", f"/endpoints/{made['id']}", changes)
    assert {name: changed[name] for name in changes} == changes
    unchanged = await workspace.must("PATCH", f"/endpoints/{made['id']}", {})
    assert {**unchanged, "updatedAt": ""} == {**changed, "updatedAt": ""}
    answer = await workspace.manage("DELETE", f"/endpoints/{made['id']}")
    assert (answer.status, answer.body) == (204, None)
    assert_refused(await workspace.manage("GET", f"/endpoints/{made['id']}"), 404, "not_found")
    assert await workspace.must("GET", "/endpoints") == []


async def test_endpoint_for_slack(workspace: Workspace) -> None:
    """It is not signed, so it has no secret."""
    made = await workspace.must(
        "POST", "/endpoints", {"url": "https://hooks.slack.com/services/T/B/X", "type": "slack"}
    )
    assert (made["type"], set(made)) == ("slack", _ENDPOINT)


async def test_endpoint_in_an_environment(workspace: Workspace) -> None:
    """The default one, unless another is named; an unknown one is refused."""
    staging = await workspace.must("POST", "/environments", {"name": "Staging", "slug": "staging"})
    await workspace.endpoint(environmentId=staging["id"])
    for name in ("env_" + "0" * 32, "staging"):
        answer = await workspace.manage("POST", "/endpoints", {"url": _URL, "environmentId": name})
        assert_refused(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "url"),
        ({"url": 7}, "url"),
        ({"url": "not a url"}, "url"),
        ({"url": "ftp://example.com"}, "url"),
        ({"url": "https://user:password@example.com"}, "url"),
        ({"url": "http://169.254.169.254/latest"}, "url"),
        ({"url": _URL, "type": "pigeon"}, "type"),
        ({"url": _URL, "metadata": {"a": 1}}, "metadata"),
        ({"url": _URL, "config": []}, "config"),
        ({"url": _URL, "description": "x" * 1001}, "description"),
    ],
    ids=str,
)
async def test_bad_endpoint(workspace: Workspace, fields: dict[str, Any], named: str) -> None:
    """What is wrong is named as the caller wrote it."""
    assert_refused(await workspace.manage("POST", "/endpoints", fields), 400, "bad_request", named)


async def test_secret_rotation_and_reveal(workspace: Workspace) -> None:
    """A new secret each time; the newest can be shown."""
    target = await workspace.endpoint()
    secrets = [target.made["secret"]]
    for _ in range(2):
        rotated = await workspace.must("POST", f"/endpoints/{target.id}/rotate-secret")
        secrets.append(rotated.pop("secret"))
        assert set(rotated) == _ENDPOINT
        assert await workspace.must("POST", f"/endpoints/{target.id}/reveal-secret") == {"secret": secrets[-1]}
    assert len(set(secrets)) == 3


async def test_event_type(workspace: Workspace) -> None:
    """Created, read, listed, changed, deleted with the subscriptions to it."""
    answer = await workspace.manage("POST", "/event-types", {"name": "order.paid", "description": "Paid"})
    assert answer.status == 201
    made = answer.body
    assert set(made) == _EVENT_TYPE
    assert (made["name"], made["description"], made["subscriberCount"]) == ("order.paid", "Paid", 0)
    assert await workspace.must("GET", f"/event-types/{made['id']}") == made
    assert await workspace.must("GET", "/event-types") == [made]
    changed = await workspace.must("PATCH", f"/event-types/{made['id']}", {"description": "Has been paid"})
    assert changed == made | {"description": "Has been paid"}
    target = await workspace.endpoint("order.paid")
    assert (await workspace.must("GET", f"/event-types/{made['id']}"))["subscriberCount"] == 1
    assert (await workspace.manage("DELETE", f"/event-types/{made['id']}")).status == 204
    assert_refused(await workspace.manage("GET", f"/event-types/{made['id']}"), 404, "not_found")
    assert await workspace.must("GET", f"/endpoints/{target.id}/subscriptions") == []


async def test_event_type_exists(workspace: Workspace) -> None:
    """A second one of the same name is a conflict."""
    await workspace.event_type("order.paid")
    assert_refused(await workspace.manage("POST", "/event-types", {"name": "order.paid"}), 409, "conflict")


@pytest.mark.parametrize("name", ["", "INVALID NAME!!", "a..b", "x" * 129, 7, None], ids=str)
async def test_bad_event_type(workspace: Workspace, name: object) -> None:
    """Words of lower-case letters with dots between them."""
    assert_refused(await workspace.manage("POST", "/event-types", {"name": name}), 400, "bad_request", "name")


async def test_subscriptions(workspace: Workspace) -> None:
    """The number of new ones is told; they are listed; one is deleted by its type."""
    target = await workspace.endpoint()
    types = [await workspace.event_type(name) for name in ("order.paid", "order.sent")]
    path = f"/endpoints/{target.id}/subscriptions"
    assert await workspace.must("POST", path, {"eventTypeIds": types[:1]}) == {"subscribed": 1}
    assert await workspace.must("POST", path, {"eventTypeIds": types}) == {"subscribed": 1}
    found = await workspace.must("GET", path)
    assert [(one["eventTypeId"], one["eventTypeName"]) for one in found] == list(
        zip(types, ("order.paid", "order.sent"), strict=True)
    )
    assert {frozenset(one) for one in found} == {
        frozenset({"id", "endpointId", "eventTypeId", "eventTypeName", "createdAt"})
    }
    answer = await workspace.manage("DELETE", f"{path}/{types[0]}")
    assert (answer.status, answer.body) == (204, None)
    assert [one["eventTypeId"] for one in await workspace.must("GET", path)] == types[1:]
    assert_refused(await workspace.manage("DELETE", f"{path}/{types[0]}"), 404, "not_found")


@pytest.mark.parametrize("wanted", [[], None, "evt_1", [7]], ids=str)
async def test_bad_subscription(workspace: Workspace, wanted: object) -> None:
    """A list of ids, of which there is one at least."""
    target = await workspace.endpoint()
    answer = await workspace.manage("POST", f"/endpoints/{target.id}/subscriptions", {"eventTypeIds": wanted})
    assert_refused(answer, 400, "bad_request", "eventTypeIds")


async def test_subscription_to_an_unknown_type(workspace: Workspace) -> None:
    """None is made, also not of those that are known."""
    target, known = await workspace.endpoint(), await workspace.event_type("order.paid")
    for unknown in ("evt_" + "0" * 32, "evt_1"):
        wanted = {"eventTypeIds": [known, unknown]}
        answer = await workspace.manage("POST", f"/endpoints/{target.id}/subscriptions", wanted)
        assert_refused(answer, 404, "not_found")
    assert await workspace.must("GET", f"/endpoints/{target.id}/subscriptions") == []
