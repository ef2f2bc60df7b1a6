"""The management API: who may call it, what is not found, its bodies, and its audit log."""

from typing import Any

import pytest

from checks.waiting import until
from tests.conformance.nahook.conftest import END_S, CreateWorkspace, Workspace, assert_refused

_URL = "https://example.com/hooks"
# Every path with an id, as it is called.
_PATHS = (
    ("GET", "/endpoints/{ep}"),
    ("PATCH", "/endpoints/{ep}"),
    ("DELETE", "/endpoints/{ep}"),
    ("POST", "/endpoints/{ep}/rotate-secret"),
    ("POST", "/endpoints/{ep}/reveal-secret"),
    ("GET", "/endpoints/{ep}/subscriptions"),
    ("POST", "/endpoints/{ep}/subscriptions"),
    ("DELETE", "/endpoints/{ep}/subscriptions/{evt}"),
    ("GET", "/endpoints/{ep}/deliveries"),
    ("GET", "/event-types/{evt}"),
    ("PATCH", "/event-types/{evt}"),
    ("DELETE", "/event-types/{evt}"),
    ("GET", "/applications/{app}"),
    ("PATCH", "/applications/{app}"),
    ("DELETE", "/applications/{app}"),
    ("GET", "/applications/{app}/endpoints"),
    ("POST", "/applications/{app}/endpoints"),
    ("POST", "/applications/{app}/portal"),
    ("GET", "/environments/{env}"),
    ("PATCH", "/environments/{env}"),
    ("DELETE", "/environments/{env}"),
    ("GET", "/environments/{env}/event-types"),
    ("PUT", "/environments/{env}/event-types/{evt}/visibility"),
    ("GET", "/deliveries/{del}"),
    ("GET", "/deliveries/{del}/attempts"),
)


def body_for(method: str, path: str) -> dict[str, Any] | None:
    """Return a body that the path takes."""
    if method not in {"POST", "PATCH", "PUT"} or path.endswith("-secret"):
        return None
    bodies: dict[str, dict[str, Any]] = {
        "/applications/{app}/endpoints": {"url": _URL},
        "/endpoints/{ep}/subscriptions": {"eventTypeIds": ["evt_" + "0" * 32]},
    }
    return bodies.get(path, {"published": True} if path.endswith("visibility") else {})


@pytest.mark.parametrize(("method", "path"), _PATHS)
async def test_404(workspace: Workspace, create_workspace: CreateWorkspace, method: str, path: str) -> None:
    """Missing, malformed and foreign ids get one answer."""
    other = await create_workspace()
    foreign = {
        "ep": (await other.endpoint()).id,
        "evt": await other.event_type("order.paid"),
        "app": (await other.must("POST", "/applications", {"name": "A"}))["id"],
        "env": (await other.must("GET", "/environments"))[0]["id"],
        "del": "del_" + "1" * 32,
    }
    missing = {name: f"{name}_{'0' * 32}" for name in foreign}
    malformed = {name: f"{name}_1" for name in foreign}
    answers = []
    for ids in (foreign, missing, malformed):
        asked = path.replace("{", "%(").replace("}", ")s") % ids
        answers.append(await workspace.manage(method, asked, body_for(method, path)))
        assert_refused(answers[-1], 404, "not_found")
        assert answers[-1].body == answers[0].body


@pytest.mark.parametrize("path", ["/endpoints", "/event-types", "/applications", "/environments", "/audit-logs"])
async def test_404_another_workspace(workspace: Workspace, create_workspace: CreateWorkspace, path: str) -> None:
    """The token must belong to the workspace in the path."""
    other = await create_workspace()
    answers = [
        await workspace.manage("GET", path, workspace_id=name)
        for name in (other.id, "ws_" + "0" * 32, workspace.tenant.id, "ws_1")
    ]
    for answer in answers:
        assert_refused(answer, 404, "not_found")
        assert answer.body == answers[0].body


@pytest.mark.parametrize("path", ["/endpoints", "/event-types", "/applications", "/environments"])
async def test_lists_are_bare_arrays(workspace: Workspace, path: str) -> None:
    """The client wraps them itself."""
    answer = await workspace.manage("GET", path)
    assert answer.status == 200
    assert isinstance(answer.body, list)


@pytest.mark.parametrize("token", ["", "nhm_unknown", "nhm_" + "0" * 64])
async def test_401(workspace: Workspace, token: str) -> None:
    """Missing and unknown tokens, whatever the path."""
    for path in ("/endpoints", f"/endpoints/ep_{'0' * 32}"):
        assert_refused(await workspace.manage("GET", path, token=token), 401, "unauthorized")


async def test_403_limited_token(workspace: Workspace) -> None:
    """A token that is good for one environment manages nothing: it would manage them all."""
    environment = (await workspace.must("GET", "/environments"))[0]["id"]
    token = await workspace.create_key("nahook_management", scopes=[environment])
    assert_refused(await workspace.manage("GET", "/endpoints", token=token.text), 403, "forbidden")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"name": "a", "name": "b"}', b'{"name": "a"} x'], ids=str)
async def test_malformed_body(workspace: Workspace, raw: bytes) -> None:
    """As strict as where payloads are taken."""
    assert_refused(await workspace.manage("POST", "/event-types", raw=raw), 400, "bad_request")


async def test_unknown_fields_are_ignored(workspace: Workspace) -> None:
    """A newer client may send more."""
    await workspace.must("POST", "/event-types", {"name": "order.paid", "unknown": 1})


async def test_audit_log(workspace: Workspace, create_workspace: CreateWorkspace) -> None:
    """Each change by a token, also one that was refused; nobody else's; by action, kind, time and page."""
    other = await create_workspace()
    await other.event_type("order.paid")
    target = await workspace.endpoint("order.paid")
    await workspace.must("POST", f"/endpoints/{target.id}/reveal-secret")
    await workspace.must("PATCH", f"/endpoints/{target.id}", {"description": "x", "isActive": True})
    assert (await workspace.manage("PATCH", f"/endpoints/{target.id}", {"url": 7})).status == 400
    await workspace.must("GET", "/endpoints")

    async def complete() -> dict[str, Any] | None:
        found = await workspace.must("GET", "/audit-logs")
        return dict(found) if found["total"] >= 6 else None

    log = await until(complete, "all entries", deadline=END_S)
    assert (log["page"], log["pageSize"], log["total"]) == (1, 50, 6)
    assert [(one["action"], one["status"]) for one in log["data"]] == [
        ("endpoint.updated", 400),
        ("endpoint.updated", 200),
        ("endpoint.secret_revealed", 200),
        ("subscription.created", 201),
        ("event_type.created", 201),
        ("endpoint.created", 201),
    ]
    newest = log["data"][1]
    assert (newest["resourceType"], newest["resourceId"]) == ("endpoint", target.id)
    assert (newest["actorType"], newest["actorId"]) == ("token", workspace.token.id)
    assert newest["changedFields"] == ["description", "isActive"]
    assert log["data"][-1]["resourceId"] == target.id
    for query, number in (
        ("action=endpoint.updated", 2),
        ("resource_type=event_type", 1),
        ("actor_type=token", 6),
        ("actor_type=user", 0),
        ("from=2020-01-01T00:00:00Z", 6),
        ("to=2020-01-01T00:00:00Z", 0),
        ("action=unknown", 0),
    ):
        found = await workspace.must("GET", f"/audit-logs?{query}")
        assert (found["total"], len(found["data"])) == (number, number), query
    second = await workspace.must("GET", "/audit-logs?page=2")
    assert (second["data"], second["total"], second["page"]) == ([], 6, 2)
    for query in ("page=0", "page=x", "from=yesterday", "sort=asc"):
        assert_refused(await workspace.manage("GET", f"/audit-logs?{query}"), 400, "bad_request")


async def test_audit_log_whatever_the_body_holds(workspace: Workspace) -> None:
    """No body keeps its change out of the log."""
    many = {f"f{number}": 1 for number in range(100)}
    for name, unknown in (("many", many), ("long", {"n" * 600: 1}), ("nul", {"a\0": 1})):
        await workspace.must("POST", "/event-types", {**unknown, "name": name})

    async def complete() -> list[Any] | None:
        found = await workspace.must("GET", "/audit-logs")
        return list(found["data"]) if all(one["status"] for one in found["data"]) and found["total"] == 3 else None

    entries = await until(complete, "all entries", deadline=END_S)
    assert [(one["status"], one["changedFields"]) for one in entries] == [(201, ["name"])] * 3
