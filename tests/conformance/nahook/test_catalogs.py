"""The management API: applications, links to their portals, and environments."""

from typing import Any

import pytest

from tests.conformance.nahook.conftest import Workspace, assert_refused

_URL = "https://example.com/hooks"
_ENVIRONMENT = {"id", "name", "slug", "isDefault", "createdAt", "updatedAt"}
_APPLICATION = {
    "id",
    "externalId",
    "name",
    "metadata",
    "maxEndpoints",
    "showEventTypes",
    "createdAt",
    "updatedAt",
}


async def test_application(workspace: Workspace) -> None:
    """Created with defaults, read, listed, changed, deleted with its endpoints."""
    answer = await workspace.manage("POST", "/applications", {"name": "Acorn", "externalId": "a1"})
    assert answer.status == 201
    made = answer.body
    assert set(made) == _APPLICATION
    assert (made["name"], made["externalId"], made["metadata"]) == ("Acorn", "a1", {})
    assert (made["maxEndpoints"], made["showEventTypes"]) == (None, True)
    path = f"/applications/{made['id']}"
    assert await workspace.must("GET", path) == made
    assert await workspace.must("GET", "/applications") == [made]
    changes = {"name": "Oak", "metadata": {"tier": "gold"}, "showEventTypes": False}
    changed = await workspace.must("PATCH", path, changes)
    assert {name: changed[name] for name in changes} == changes
    created = await workspace.manage("POST", f"{path}/endpoints", {"url": _URL})
    assert created.status == 201
    assert created.body["secret"]
    assert [one["id"] for one in await workspace.must("GET", f"{path}/endpoints")] == [created.body["id"]]
    assert (await workspace.manage("DELETE", path)).status == 204
    assert_refused(await workspace.manage("GET", path), 404, "not_found")
    assert_refused(await workspace.manage("GET", f"/endpoints/{created.body['id']}"), 404, "not_found")


async def test_application_max_endpoints(workspace: Workspace) -> None:
    """Absent: it stays; null: no limit; a number: the limit. 0: the application can only be read."""
    made = await workspace.must("POST", "/applications", {"name": "Acorn", "maxEndpoints": 0})
    path = f"/applications/{made['id']}"
    refused = await workspace.manage("POST", f"{path}/endpoints", {"url": _URL})
    assert_refused(refused, 403, "application_endpoint_limit_reached")
    assert (await workspace.must("PATCH", path, {"name": "Oak"}))["maxEndpoints"] == 0
    assert (await workspace.must("PATCH", path, {"maxEndpoints": 1}))["maxEndpoints"] == 1
    first = await workspace.must("POST", f"{path}/endpoints", {"url": _URL})
    await workspace.must("PATCH", f"/endpoints/{first['id']}", {"isActive": False})  # disabled ones count
    refused = await workspace.manage("POST", f"{path}/endpoints", {"url": _URL})
    assert_refused(refused, 403, "application_endpoint_limit_reached")
    assert (await workspace.must("PATCH", path, {"maxEndpoints": None}))["maxEndpoints"] is None
    await workspace.must("POST", f"{path}/endpoints", {"url": _URL})


async def test_application_external_id(workspace: Workspace) -> None:
    """Unique within the workspace."""
    await workspace.must("POST", "/applications", {"name": "A", "externalId": "x"})
    answer = await workspace.manage("POST", "/applications", {"name": "B", "externalId": "x"})
    assert_refused(answer, 409, "conflict")


async def test_applications_by_limit_and_offset(workspace: Workspace) -> None:
    """Each once, in the order of their creation."""
    made = [(await workspace.must("POST", "/applications", {"name": f"A{number}"}))["id"] for number in range(5)]
    found = [await workspace.must("GET", f"/applications?limit=2&offset={offset}") for offset in (0, 2, 4)]
    assert [[one["id"] for one in part] for part in found] == [made[:2], made[2:4], made[4:]]
    for query in ("limit=0", "limit=x", "offset=-1", "page=1"):
        assert_refused(await workspace.manage("GET", f"/applications?{query}"), 400, "bad_request")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "A", "metadata": {str(number): "" for number in range(6)}}, "metadata"),
        ({"name": "A", "maxEndpoints": -1}, "maxEndpoints"),
        ({"name": "A", "maxEndpoints": "1"}, "maxEndpoints"),
        ({"name": "A", "showEventTypes": 1}, "showEventTypes"),
    ],
    ids=str,
)
async def test_bad_application(workspace: Workspace, fields: dict[str, Any], named: str) -> None:
    """What is wrong is named."""
    assert_refused(await workspace.manage("POST", "/applications", fields), 400, "bad_request", named)


async def test_portal_link(workspace: Workspace) -> None:
    """A URL that opens the portal of the application, its code, and when it ends."""
    application = await workspace.must("POST", "/applications", {"name": "Acorn"})
    fields = {"metadata": {"user": "ada"}, "role": "viewer", "expiresInMinutes": 5}
    for body in ({}, fields):
        answer = await workspace.manage("POST", f"/applications/{application['id']}/portal", body)
        assert answer.status == 201
        assert set(answer.body) == {"url", "code", "expiresAt"}
        assert answer.body["code"] in answer.body["url"]
        async with workspace.client.http.session.get(answer.body["url"]) as page:
            assert page.status == 200
            assert page.content_type == "text/html"
    answer = await workspace.manage("POST", f"/applications/{application['id']}/portal", {"expiresInMinutes": 0})
    assert_refused(answer, 400, "bad_request", "expiresInMinutes")


async def test_environment(workspace: Workspace) -> None:
    """Every workspace has a default one; others are created, read, listed, renamed, deleted."""
    [default] = await workspace.must("GET", "/environments")
    assert set(default) == _ENVIRONMENT
    assert default["isDefault"] is True
    answer = await workspace.manage("POST", "/environments", {"name": "Staging", "slug": "staging"})
    assert answer.status == 201
    made = answer.body
    assert (made["name"], made["slug"], made["isDefault"]) == ("Staging", "staging", False)
    path = f"/environments/{made['id']}"
    assert await workspace.must("GET", path) == made
    assert await workspace.must("GET", "/environments") == [default, made]
    assert (await workspace.must("PATCH", path, {"name": "Test"}))["name"] == "Test"
    assert (await workspace.manage("DELETE", path)).status == 204
    assert_refused(await workspace.manage("GET", path), 404, "not_found")
    assert_refused(await workspace.manage("DELETE", f"/environments/{default['id']}"), 409, "conflict")


async def test_environment_slug(workspace: Workspace) -> None:
    """Unique, and of lower-case letters."""
    await workspace.must("POST", "/environments", {"name": "A", "slug": "a"})
    assert_refused(await workspace.manage("POST", "/environments", {"name": "B", "slug": "a"}), 409, "conflict")
    for slug in ("A b", "", "x" * 51):
        assert_refused(
            await workspace.manage("POST", "/environments", {"name": "B", "slug": slug}), 400, "bad_request", "slug"
        )


async def test_ten_environments(workspace: Workspace) -> None:
    """The default one and nine others."""
    for number in range(9):
        await workspace.must("POST", "/environments", {"name": str(number), "slug": f"e{number}"})
    assert_refused(await workspace.manage("POST", "/environments", {"name": "B", "slug": "b"}), 409, "conflict")


async def test_environment_visibility(workspace: Workspace) -> None:
    """A new environment publishes nothing; each type is published and withdrawn by itself."""
    type_id = await workspace.event_type("order.paid")
    await workspace.event_type("order.sent")
    made = await workspace.must("POST", "/environments", {"name": "Staging", "slug": "staging"})
    path = f"/environments/{made['id']}/event-types"
    assert [(one["eventTypeName"], one["published"]) for one in await workspace.must("GET", path)] == [
        ("order.paid", False),
        ("order.sent", False),
    ]
    for published in (True, False):
        wanted = {"eventTypeId": type_id, "eventTypeName": "order.paid", "published": published}
        assert await workspace.must("PUT", f"{path}/{type_id}/visibility", {"published": published}) == wanted
        assert wanted in await workspace.must("GET", path)
    answer = await workspace.manage("PUT", f"{path}/{type_id}/visibility", {})
    assert_refused(answer, 400, "bad_request", "published")
